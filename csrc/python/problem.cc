#include "problem.h"

#include <pybind11/pybind11.h>

#include <algorithm>
#include <stdexcept>

namespace fullgrad {
namespace {

template <class Option>
Option option(const char* name, const std::string& value) {
  Option option;
  if (!parse(value, &option)) throw std::invalid_argument("unknown " + std::string(name) + " '" + value + "'");
  return option;
}

}  // namespace

Problem problem_of(const std::vector<Array>& gradients, const std::vector<Array>& weights,
                   const std::vector<int64_t>& size, const OptionNames& names) {
  const Options options = {option<Rectifier>("rectifier", names.rectifier), option<Rescale>("rescale", names.rescale),
                           option<Channels>("channels", names.channels), option<Resize>("resize", names.resize),
                           option<Layout>("layout", names.layout)};
  const bool wide = std::any_of(gradients.begin(), gradients.end(),
                                [](const Array& gradient) { return gradient.type == DataType::kFloat64; });
  Problem problem;
  const std::string error =
      make_problem(gradients, weights, size, options, wide ? DataType::kFloat64 : DataType::kFloat32, &problem);
  if (!error.empty()) throw std::invalid_argument(error);
  return problem;
}

Activating activating_of(const std::string& activation, const Array& x, const std::vector<Array>& gradients,
                         const std::vector<Array>& factors, void* out) {
  Activating activating;
  const std::string error =
      make_activating(option<Activation>("activation", activation), x, gradients, factors, out, &activating);
  if (!error.empty()) throw std::invalid_argument(error);
  return activating;
}

DataType data_type(const std::string& name) {
  if (name == "float16") return DataType::kFloat16;
  if (name == "bfloat16") return DataType::kBFloat16;
  if (name == "float32") return DataType::kFloat32;
  if (name == "float64") return DataType::kFloat64;
  throw pybind11::type_error("expected an array of float16, bfloat16, float32 or float64, got " + name);
}

}  // namespace fullgrad
