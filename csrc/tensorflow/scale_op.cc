// Scaling by a factor for each image and channel, and the factor's gradient, on TensorFlow's own threads. On a GPU
// TensorFlow's own ops do it.

#include "compat.h"
#include "core/scale.h"
#include "problem.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace fullgrad {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// As x, with one position.
absl::Status infer_per_channel(InferenceContext* context) {
  const ShapeHandle x = context->input(0);
  if (!context->RankKnown(x)) {
    context->set_output(0, context->UnknownShape());
    return absl::OkStatus();
  }
  std::vector<tensorflow::shape_inference::DimensionHandle> sizes(context->Rank(x), context->MakeDim(1));
  if (!sizes.empty()) {
    sizes.front() = context->Dim(x, 0);
    sizes.back() = context->Dim(x, -1);
  }
  context->set_output(0, context->MakeShape(sizes));
  return absl::OkStatus();
}

class Scale : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor& x = context->input(0);
    Tensor* out = nullptr;
    OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({0}, 0, x.shape(), &out));
    Scaling scaling;
    const std::string error = make_scaling(array_of(x), array_of(context->input(1)), out->data(), &scaling);
    OP_REQUIRES(context, error.empty(), invalid_argument(error));
    scale_cpu(scaling, cpu_threads(context));
  }
};

class SumsOfProducts : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor &x = context->input(0), &gradient = context->input(1);
    Scaling scaling;
    const std::string error = make_sums_of_products(array_of(x), array_of(gradient), nullptr, &scaling);
    OP_REQUIRES(context, error.empty(), invalid_argument(error));
    tensorflow::TensorShape shape = x.shape();
    for (int axis = 1; axis + 1 < shape.dims(); ++axis) shape.set_dim(axis, 1);
    Tensor* out = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &out));
    scaling.out = out->data();
    Tensor workspace;
    const auto bytes = static_cast<int64_t>(sums_of_products_cpu_workspace(scaling));
    OP_REQUIRES_OK(context, context->allocate_temp(tensorflow::DT_UINT8, {bytes}, &workspace));
    sums_of_products_cpu(scaling, workspace.data(), cpu_threads(context));
  }
};

}  // namespace

REGISTER_OP("KerasFullgrad>Scale")
    .Input("x: type")
    .Input("factor: type")
    .Output("y: type")
    .Attr("type: {half, bfloat16, float, double}")
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape)
    .Doc("y = x * factor, (batch, 1, ..., channels).");

REGISTER_OP("KerasFullgrad>SumsOfProducts")
    .Input("x: type")
    .Input("gradient: type")
    .Output("sums: type")
    .Attr("type: {half, bfloat16, float, double}")
    .SetShapeFn(infer_per_channel)
    .Doc("The sums of x * gradient over positions, (batch, 1, ..., channels).");

namespace {

REGISTER_KERNEL_BUILDER(Name("KerasFullgrad>Scale").Device(tensorflow::DEVICE_CPU), Scale);
REGISTER_KERNEL_BUILDER(Name("KerasFullgrad>SumsOfProducts").Device(tensorflow::DEVICE_CPU), SumsOfProducts);

}  // namespace
}  // namespace fullgrad
