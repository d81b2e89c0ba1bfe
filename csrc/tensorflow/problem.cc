#include "problem.h"

#include <string>
#include <vector>

#include "compat.h"

namespace fullgrad {
namespace {

using tensorflow::OpInputList;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;

DataType data_type(tensorflow::DataType type) {
  switch (type) {
    case tensorflow::DT_HALF:
      return DataType::kFloat16;
    case tensorflow::DT_BFLOAT16:
      return DataType::kBFloat16;
    case tensorflow::DT_DOUBLE:
      return DataType::kFloat64;
    default:
      return DataType::kFloat32;
  }
}

std::vector<Array> arrays_of(const OpInputList& tensors) {
  std::vector<Array> arrays;
  for (int i = 0; i < tensors.size(); ++i) arrays.push_back(array_of(tensors[i]));
  return arrays;
}

template <class Integer>
std::vector<int64_t> elements_of(const Tensor& tensor) {
  const auto elements = tensor.vec<Integer>();
  return {elements.data(), elements.data() + elements.size()};
}

}  // namespace

Array array_of(const Tensor& tensor) {
  const auto sizes = tensor.shape().dim_sizes();
  return {tensor.data(), {sizes.begin(), sizes.end()}, data_type(tensor.dtype())};
}

absl::Status read_options(OpKernelConstruction* context, Options* options) {
  TF_RETURN_IF_ERROR(read_option(context, "rectifier", &options->rectifier));
  TF_RETURN_IF_ERROR(read_option(context, "rescale", &options->rescale));
  TF_RETURN_IF_ERROR(read_option(context, "channels", &options->channels));
  TF_RETURN_IF_ERROR(read_option(context, "resize", &options->resize));
  return read_option(context, "layout", &options->layout);
}

absl::Status read_problem(OpKernelContext* context, const Options& options, Problem* problem,
                          tensorflow::TensorShape* maps) {
  OpInputList gradients, weights;
  TF_RETURN_IF_ERROR(context->input_list("gradients", &gradients));
  TF_RETURN_IF_ERROR(context->input_list("weights", &weights));
  const Tensor* size = nullptr;
  TF_RETURN_IF_ERROR(context->input("size", &size));
  if (size->dims() != 1) {
    return invalid_argument("expected a size of one dimension, got shape ", size->shape().DebugString());
  }
  const std::vector<int64_t> target =
      size->dtype() == tensorflow::DT_INT32 ? elements_of<int32_t>(*size) : elements_of<int64_t>(*size);
  const std::string error = make_problem(arrays_of(gradients), arrays_of(weights), target, options,
                                         data_type(context->expected_output_dtype(0)), problem);
  if (!error.empty()) return invalid_argument(error);

  TF_RETURN_IF_ERROR(maps->AddDimWithStatus(problem->batch));
  for (const int64_t axis : target) TF_RETURN_IF_ERROR(maps->AddDimWithStatus(axis));
  return absl::OkStatus();
}

}  // namespace fullgrad
