// The contract of activations: y = f(x), and the gradient before f from those behind it, each in one pass over memory.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "saliency.h"

namespace fullgrad {

enum class Activation { kSilu, kHardSilu, kGelu, kGeluTanh };

// Reads the name in snake case ("hard_silu"); false where there is no such activation.
FULLGRAD_API bool parse(std::string_view name, Activation* value);

// A gradient behind a signal, (batch, space, channels), from one of those that take it in.
struct Branch {
  const void* gradient = nullptr;
  const void* factor = nullptr;  // (batch, channels), or null for 1.
  bool per_channel = false;      // Whether the gradient is the same at all positions: (batch, channels).
};

struct Activating {
  Activation activation = Activation::kSilu;
  DataType type = DataType::kFloat32;  // Of all elements; 16 bits are computed in float32.
  int64_t batch = 0, positions = 1, channels = 1;
  const void* x = nullptr;
  std::vector<Branch> branches;  // What is behind the activation; none where its value is asked for.
  void* out = nullptr;           // May be x, or one of the gradients.

  int64_t count() const { return batch * positions * channels; }
};

// Describes the activation of `x`, or with gradients the one before it. Each gradient is of the shape of x or the same
// at all positions, (batch, 1, ..., channels); so is each factor, whose data is null where there is none. Returns what
// was expected and what came, or nothing where all is well; looks at no element.
FULLGRAD_API std::string make_activating(Activation activation, const Array& x, const std::vector<Array>& gradients,
                                         const std::vector<Array>& factors, void* out, Activating* activating);

// out = f(x), or f'(x) times the sum over branches of factor * gradient. The same bits however `parallel_for` cuts the
// work.
FULLGRAD_API void activate_cpu(const Activating& activating, const ParallelFor& parallel_for);

}  // namespace fullgrad
