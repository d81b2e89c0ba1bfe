// Scaling on TensorFlow's own threads. On a GPU TensorFlow's own ops do it.

#include "compat.h"
#include "core/scale.h"
#include "problem.h"

namespace fullgrad {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;

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

REGISTER_KERNEL_BUILDER(Name("KerasFullgrad>Scale").Device(tensorflow::DEVICE_CPU), Scale);
REGISTER_KERNEL_BUILDER(Name("KerasFullgrad>SumsOfProducts").Device(tensorflow::DEVICE_CPU), SumsOfProducts);

}  // namespace
}  // namespace fullgrad
