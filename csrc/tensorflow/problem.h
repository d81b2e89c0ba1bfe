// From an op's attributes and inputs to the core's description of the problem.

#pragma once

#include <string>

#include "compat.h"
#include "core/saliency.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace fullgrad {

Array array_of(const tensorflow::Tensor& tensor);

// An attribute that names an option.
template <class Option>
absl::Status read_option(tensorflow::OpKernelConstruction* context, const char* attribute, Option* option) {
  std::string name;
  TF_RETURN_IF_ERROR(context->GetAttr(attribute, &name));
  if (!parse(name, option)) return invalid_argument("unknown ", attribute, " '", name, "'");
  return absl::OkStatus();
}

absl::Status read_options(tensorflow::OpKernelConstruction* context, Options* options);

// Also the shape of the maps. Every wrong input is an InvalidArgument that names the term.
absl::Status read_problem(tensorflow::OpKernelContext* context, const Options& options, Problem* problem,
                          tensorflow::TensorShape* maps);

}  // namespace fullgrad
