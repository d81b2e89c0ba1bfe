// From a call's arguments to the core's description of what to compute.

#pragma once

#include <string>
#include <vector>

#include "core/activation.h"
#include "core/saliency.h"

namespace fullgrad {

struct OptionNames {
  std::string rectifier, rescale, channels, resize, layout;
};

// Throws std::invalid_argument, in Python a ValueError, that says what was expected and what came.
Problem problem_of(const std::vector<Array>& gradients, const std::vector<Array>& weights,
                   const std::vector<int64_t>& size, const OptionNames& names);

// The same of an activation; a factor without data is none.
Activating activating_of(const std::string& activation, const Array& x, const std::vector<Array>& gradients,
                         const std::vector<Array>& factors, void* out);

// float16, bfloat16, float32 or float64; throws pybind11::type_error for another name.
DataType data_type(const std::string& name);

}  // namespace fullgrad
