#include "max_pool.h"

#include <algorithm>

#include "names.h"

namespace fullgrad {

std::string make_max_pool(const Array& x, const Array& y, const Array& gradient, const std::array<int64_t, 2>& window,
                          const std::array<int64_t, 2>& strides, bool same, void* out, MaxPool* pool) {
  if (x.type != DataType::kFloat32 && x.type != DataType::kFloat64) return "expected float32 or float64";
  if (x.type != y.type || x.type != gradient.type) return "expected signals and a gradient of one type";
  if (x.shape.size() != 4) return "expected a signal of four dimensions, got shape " + to_string(x.shape);
  if (std::min({window[0], window[1], strides[0], strides[1]}) < 1) return "expected windows and strides of at least 1";
  pool->type = x.type;
  pool->batch = x.shape[0];
  pool->channels = x.shape[3];
  for (int axis = 0; axis < 2; ++axis) {
    const int64_t size = x.shape[1 + axis], reach = same ? strides[axis] : window[axis];
    const int64_t windows = size < reach && !same ? 0 : (size - reach) / strides[axis] + 1;
    pool->before[axis] = size;
    pool->behind[axis] = same ? (size + strides[axis] - 1) / strides[axis] : windows;
    const int64_t missing = (pool->behind[axis] - 1) * strides[axis] + window[axis] - size;
    pool->padded[axis] = same ? std::max<int64_t>(missing, 0) / 2 : 0;
  }
  const std::vector<int64_t> pooled = {x.shape[0], pool->behind[0], pool->behind[1], x.shape[3]};
  if (y.shape != pooled || gradient.shape != pooled) {
    return "expected pooled values and a gradient of shape " + to_string(pooled) + ", got " + to_string(y.shape) +
           " and " + to_string(gradient.shape);
  }
  pool->window = window;
  pool->strides = strides;
  pool->x = x.data;
  pool->y = y.data;
  pool->gradient = gradient.data;
  pool->out = out;
  return "";
}

}  // namespace fullgrad
