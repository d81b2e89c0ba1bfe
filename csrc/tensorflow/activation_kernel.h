// What the activations' kernels of all devices do alike.

#pragma once

#include "compat.h"
#include "core/activation.h"
#include "problem.h"

namespace fullgrad {

// Calls what a device has to: absl::Status Device::run(OpKernelContext*, const Activating&). The inputs are x and, of
// the gradient's op, the gradient behind the activation.
template <class Device>
class Activate : public tensorflow::OpKernel {
 public:
  explicit Activate(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, read_option(context, "activation", &activation_));
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    const tensorflow::Tensor& x = context->input(0);
    const bool back = context->num_inputs() > 1;
    // The result takes the memory of the gradient or of x, where nobody else needs it.
    tensorflow::Tensor* out = nullptr;
    OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({back ? 1 : 0}, 0, x.shape(), &out));
    const Array behind = back ? array_of(context->input(1)) : Array();
    Activating activating;
    const std::string error =
        make_activating(activation_, array_of(x), back ? &behind : nullptr, out->data(), &activating);
    OP_REQUIRES(context, error.empty(), invalid_argument(error));
    if (activating.count > 0) OP_REQUIRES_OK(context, Device::run(context, activating));
  }

 private:
  Activation activation_;
};

}  // namespace fullgrad
