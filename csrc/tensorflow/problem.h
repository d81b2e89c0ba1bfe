// From an op's attributes and inputs to the core's description of the problem.

#pragma once

#include "core/saliency.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace fullgrad {

absl::Status read_options(tensorflow::OpKernelConstruction* context, Options* options);

// Also the shape of the maps. Every wrong input is an InvalidArgument that names the term.
absl::Status read_problem(tensorflow::OpKernelContext* context, const Options& options, Problem* problem,
                          tensorflow::TensorShape* maps);

}  // namespace fullgrad
