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

Problem make_problem(const std::vector<Array>& gradients, const std::vector<Array>& weights,
                     const std::vector<int64_t>& size, const OptionNames& options) {
  if (gradients.size() != weights.size()) {
    throw std::invalid_argument("expected one weight for each gradient, got " + std::to_string(gradients.size()) +
                                " gradients and " + std::to_string(weights.size()) + " weights");
  }
  if (size.empty() || size.size() > kMaxSpatialRank) {
    throw std::invalid_argument("expected a size of 1 to 3 spatial dimensions, got " + std::to_string(size.size()));
  }
  Problem problem;
  std::copy(size.begin(), size.end(), problem.target.end() - size.size());
  problem.options = {option<Rectifier>("rectifier", options.rectifier), option<Rescale>("rescale", options.rescale),
                     option<Channels>("channels", options.channels), option<Resize>("resize", options.resize),
                     option<Layout>("layout", options.layout)};
  for (size_t i = 0; i < gradients.size(); ++i) {
    const std::string name = "term " + std::to_string(i) + ": ";
    Term term;
    const std::string error =
        set_shape(&term, gradients[i].shape, weights[i].shape, static_cast<int>(size.size()), problem.options.layout);
    if (!error.empty()) throw std::invalid_argument(name + error);
    const int64_t batch = gradients[i].shape[0];
    if (i == 0) problem.batch = batch;
    if (batch != problem.batch) {
      throw std::invalid_argument(name + "expected the batch of term 0, " + std::to_string(problem.batch) + ", got " +
                                  std::to_string(batch));
    }
    term.gradient = gradients[i].data;
    term.weight = weights[i].data;
    term.gradient_type = gradients[i].type;
    term.weight_type = weights[i].type;
    if (term.gradient_type == DataType::kFloat64) problem.map_type = DataType::kFloat64;
    problem.terms.push_back(term);
  }
  const std::string error = find_error(problem);
  if (!error.empty()) throw std::invalid_argument(error);
  return problem;
}

DataType data_type(const std::string& name) {
  if (name == "float16") return DataType::kFloat16;
  if (name == "bfloat16") return DataType::kBFloat16;
  if (name == "float32") return DataType::kFloat32;
  if (name == "float64") return DataType::kFloat64;
  throw pybind11::type_error("expected an array of float16, bfloat16, float32 or float64, got " + name);
}

}  // namespace fullgrad
