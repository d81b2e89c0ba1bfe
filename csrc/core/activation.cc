#include "activation.h"

#include <functional>
#include <numeric>
#include <utility>

#include "names.h"

namespace fullgrad {

bool parse(std::string_view name, Activation* value) {
  static constexpr std::pair<std::string_view, Activation> kNames[] = {{"silu", Activation::kSilu},
                                                                       {"hard_silu", Activation::kHardSilu},
                                                                       {"gelu", Activation::kGelu},
                                                                       {"gelu_tanh", Activation::kGeluTanh}};
  return find(name, kNames, value);
}

std::string make_activating(Activation activation, const Array& x, const std::vector<Array>& gradients,
                            const std::vector<Array>& factors, void* out, Activating* activating) {
  if (factors.size() != gradients.size()) return "expected as many factors as gradients";
  const std::vector<int64_t>& shape = x.shape;
  std::vector<int64_t> per_channel(shape.size(), 1);
  *activating = {activation, x.type, 1, 1, 1, x.data, {}, out};
  if (!shape.empty()) {
    per_channel.front() = activating->batch = shape.front();
    if (shape.size() > 1) per_channel.back() = activating->channels = shape.back();
  }
  for (size_t axis = 1; axis + 1 < shape.size(); ++axis) activating->positions *= shape[axis];
  for (size_t i = 0; i < gradients.size(); ++i) {
    const Array &gradient = gradients[i], &factor = factors[i];
    if (gradient.type != x.type || (gradient.shape != shape && gradient.shape != per_channel)) {
      return "expected a gradient of the type and the shape of x, " + to_string(shape) + ", got " +
             (gradient.type == x.type ? to_string(gradient.shape) : "another type");
    }
    if (factor.data != nullptr && (factor.type != x.type || factor.shape != per_channel)) {
      return "expected a factor of the type of x and of shape " + to_string(per_channel) + ", got " +
             (factor.type == x.type ? to_string(factor.shape) : "another type");
    }
    activating->branches.push_back({gradient.data, factor.data, gradient.shape != shape});
  }
  return "";
}

}  // namespace fullgrad
