#include "problem.h"

#include <algorithm>
#include <string>
#include <vector>

#include "compat.h"

namespace fullgrad {
namespace {

using tensorflow::OpInputList;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;

template <class Option>
absl::Status read_option(OpKernelConstruction* context, const char* attribute, Option* option) {
  std::string name;
  TF_RETURN_IF_ERROR(context->GetAttr(attribute, &name));
  if (!parse(name, option)) return invalid_argument("unknown ", attribute, " '", name, "'");
  return absl::OkStatus();
}

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

std::vector<int64_t> shape_of(const Tensor& tensor) {
  const auto sizes = tensor.shape().dim_sizes();
  return {sizes.begin(), sizes.end()};
}

}  // namespace

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
  if (gradients.size() != weights.size()) {
    return invalid_argument("expected one weight for each gradient, got ", gradients.size(), " gradients and ",
                            weights.size(), " weights");
  }
  const Tensor* size = nullptr;
  TF_RETURN_IF_ERROR(context->input("size", &size));
  const int64_t rank = size->NumElements();
  if (size->dims() != 1 || rank < 1 || rank > kMaxSpatialRank) {
    return invalid_argument("expected a size of 1 to ", kMaxSpatialRank, " spatial dimensions, got shape ",
                            size->shape().DebugString());
  }
  const auto target = size->vec<int32_t>();
  std::copy_n(target.data(), rank, problem->target.end() - rank);

  problem->options = options;
  problem->map_type = data_type(context->expected_output_dtype(0));
  for (int i = 0; i < gradients.size(); ++i) {
    Term term;
    const std::string error =
        set_shape(&term, shape_of(gradients[i]), shape_of(weights[i]), static_cast<int>(rank), options.layout);
    if (!error.empty()) return invalid_argument("term ", i, ": ", error);
    const int64_t batch = gradients[i].dim_size(0);
    if (i == 0) problem->batch = batch;
    if (batch != problem->batch) {
      return invalid_argument("term ", i, ": expected the batch of term 0, ", problem->batch, ", got ", batch);
    }
    term.gradient = gradients[i].data();
    term.weight = weights[i].data();
    term.gradient_type = data_type(gradients[i].dtype());
    term.weight_type = data_type(weights[i].dtype());
    problem->terms.push_back(term);
  }
  const std::string error = find_error(*problem);
  if (!error.empty()) return invalid_argument(error);

  TF_RETURN_IF_ERROR(maps->AddDimWithStatus(problem->batch));
  for (int64_t axis = 0; axis < rank; ++axis) TF_RETURN_IF_ERROR(maps->AddDimWithStatus(target(axis)));
  return absl::OkStatus();
}

}  // namespace fullgrad
