// The gradient of a pooling by the largest value, on TensorFlow's own threads. On a GPU TensorFlow's own op does it.

#include "compat.h"
#include "core/max_pool.h"
#include "problem.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace fullgrad {

REGISTER_OP("KerasFullgrad>MaxPoolGrad")
    .Input("x: type")
    .Input("y: type")
    .Input("gradient: type")
    .Output("before: type")
    .Attr("type: {float, double}")
    .Attr("window: list(int) >= 2")
    .Attr("strides: list(int) >= 2")
    .Attr("padding: {'SAME', 'VALID'}")
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape)
    .Doc(
        "The gradient before a pooling, to the first of each window's largest values; (batch, height, width, "
        "channels).");

namespace {

class MaxPoolGrad : public tensorflow::OpKernel {
 public:
  explicit MaxPoolGrad(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    std::vector<int64_t> window, strides;
    std::string padding;
    OP_REQUIRES_OK(context, context->GetAttr("window", &window));
    OP_REQUIRES_OK(context, context->GetAttr("strides", &strides));
    OP_REQUIRES_OK(context, context->GetAttr("padding", &padding));
    OP_REQUIRES(context, window.size() == 2 && strides.size() == 2,
                invalid_argument("expected a window and strides of two sizes each"));
    window_ = {window[0], window[1]};
    strides_ = {strides[0], strides[1]};
    same_ = padding == "SAME";
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    tensorflow::Tensor* out = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, context->input(0).shape(), &out));
    MaxPool pool;
    const std::string error = make_max_pool(array_of(context->input(0)), array_of(context->input(1)),
                                            array_of(context->input(2)), window_, strides_, same_, out->data(), &pool);
    OP_REQUIRES(context, error.empty(), invalid_argument(error));
    max_pool_gradient_cpu(pool, cpu_threads(context));
  }

 private:
  std::array<int64_t, 2> window_, strides_;
  bool same_;
};

REGISTER_KERNEL_BUILDER(Name("KerasFullgrad>MaxPoolGrad").Device(tensorflow::DEVICE_CPU), MaxPoolGrad);

}  // namespace
}  // namespace fullgrad
