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

std::string make_activating(Activation activation, const Array& x, const Array* gradient, void* out,
                            Activating* activating) {
  if (gradient != nullptr && (gradient->shape != x.shape || gradient->type != x.type)) {
    return "expected a gradient of the type and the shape of x, " + to_string(x.shape) + ", got " +
           (gradient->type == x.type ? to_string(gradient->shape) : "another type");
  }
  const int64_t count = std::accumulate(x.shape.begin(), x.shape.end(), int64_t{1}, std::multiplies<int64_t>());
  *activating = {activation, x.type, count, x.data, gradient == nullptr ? nullptr : gradient->data, out};
  return "";
}

}  // namespace fullgrad
