// The contract of activations: y = f(x), and the gradient before f from the one behind it, g f'(x), each in one pass
// over memory.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "saliency.h"

namespace fullgrad {

enum class Activation { kSilu, kHardSilu, kGelu, kGeluTanh };

// Reads the name in snake case ("hard_silu"); false where there is no such activation.
FULLGRAD_API bool parse(std::string_view name, Activation* value);

struct Activating {
  Activation activation = Activation::kSilu;
  DataType type = DataType::kFloat32;  // Of all elements; 16 bits are computed in float32.
  int64_t count = 0;
  const void* x = nullptr;
  const void* gradient = nullptr;  // Behind the activation; null where its value is asked for.
  void* out = nullptr;             // May be x or the gradient itself.
};

// Describes the activation of `x`, or with a gradient the one before it. Returns what was expected and what came, or
// nothing where all is well; looks at no element.
FULLGRAD_API std::string make_activating(Activation activation, const Array& x, const Array* gradient, void* out,
                                         Activating* activating);

// The same bits however `parallel_for` cuts the work.
FULLGRAD_API void activate_cpu(const Activating& activating, const ParallelFor& parallel_for);

}  // namespace fullgrad
