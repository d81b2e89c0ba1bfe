// Pooling by the largest value on CPUs: a thread has all positions of some channels of an image, so that windows which
// overlap add to what is its own.

#include <algorithm>

#include "cpu_instructions.h"
#include "max_pool.h"

namespace fullgrad {
namespace {

constexpr int kWidth = 16;  // Channels side by side: a line of the cache in float32.

template <class Real>
struct Window {
  const Real* x;  // Its first position that is there, and as `out`.
  Real* out;
  int64_t rows, columns;          // That are there.
  int64_t row_step, column_step;  // In elements.
};

// Of `channels` channels, at most kWidth; of all kWidth the loops have a fixed length.
template <int kChannels, class Real>
FULLGRAD_DISPATCHED void go_back(const Window<Real>& window, const Real* y, const Real* gradient, int channels) {
  const int count = kChannels > 0 ? kChannels : channels;
  Real left[kWidth];  // What no position has taken yet.
  for (int i = 0; i < count; ++i) left[i] = gradient[i];
  for (int64_t row = 0; row < window.rows; ++row) {
    for (int64_t column = 0; column < window.columns; ++column) {
      const int64_t at = row * window.row_step + column * window.column_step;
      const Real* x = window.x + at;
      Real* out = window.out + at;
      FULLGRAD_NO_ALIAS
      for (int i = 0; i < count; ++i) {
        const bool largest = x[i] == y[i];
        out[i] += largest ? left[i] : Real(0);
        left[i] = largest ? Real(0) : left[i];
      }
    }
  }
}

template <class Real>
void run(const MaxPool& p, int64_t image, int64_t channel) {
  const int channels = static_cast<int>(std::min<int64_t>(kWidth, p.channels - channel));
  const int64_t before = p.before[0] * p.before[1], behind = p.behind[0] * p.behind[1];
  const auto* x = static_cast<const Real*>(p.x) + image * before * p.channels + channel;
  auto* out = static_cast<Real*>(p.out) + image * before * p.channels + channel;
  for (int64_t position = 0; position < before; ++position) {
    std::fill_n(out + position * p.channels, channels, Real(0));
  }
  const int64_t first = image * behind * p.channels + channel;
  const Real *y = static_cast<const Real*>(p.y) + first, *gradient = static_cast<const Real*>(p.gradient) + first;
  for (int64_t row = 0; row < p.behind[0]; ++row) {
    const int64_t top = row * p.strides[0] - p.padded[0];
    const int64_t row_begin = std::max<int64_t>(top, 0), row_end = std::min(top + p.window[0], p.before[0]);
    for (int64_t column = 0; column < p.behind[1]; ++column) {
      const int64_t left = column * p.strides[1] - p.padded[1];
      const int64_t begin = std::max<int64_t>(left, 0), end = std::min(left + p.window[1], p.before[1]);
      const int64_t at = (row_begin * p.before[1] + begin) * p.channels;
      const Window<Real> window = {x + at,    out + at, row_end - row_begin, end - begin, p.before[1] * p.channels,
                                   p.channels};
      if (channels == kWidth) {
        go_back<kWidth>(window, y, gradient, kWidth);
      } else {
        go_back<0>(window, y, gradient, channels);
      }
      y += p.channels;
      gradient += p.channels;
    }
  }
}

}  // namespace

void max_pool_gradient_cpu(const MaxPool& p, const ParallelFor& parallel_for) {
  const int64_t parts = (p.channels + kWidth - 1) / kWidth, positions = p.before[0] * p.before[1];
  if (p.batch * parts * positions == 0) return;
  parallel_for(p.batch * parts, 3 * positions * kWidth * size_of(p.type), [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t image = unit / parts, channel = unit % parts * kWidth;
      p.type == DataType::kFloat64 ? run<double>(p, image, channel) : run<float>(p, image, channel);
    }
  });
}

}  // namespace fullgrad
