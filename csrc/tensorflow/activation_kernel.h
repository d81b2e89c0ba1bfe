// What the activations' kernels of all devices do alike.

#pragma once

#include <algorithm>
#include <vector>

#include "compat.h"
#include "core/activation.h"
#include "problem.h"

namespace fullgrad {

// Calls what a device has to: absl::Status Device::run(OpKernelContext*, const Activating&). Of the gradient's op too.
template <class Device>
class Activate : public tensorflow::OpKernel {
 public:
  explicit Activate(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, read_option(context, "activation", &activation_));
    if (context->HasAttr("has_factor")) {
      OP_REQUIRES_OK(context, context->GetAttr("has_factor", &has_factor_));
      const auto factored = std::count(has_factor_.begin(), has_factor_.end(), true);
      OP_REQUIRES(
          context, 1 + has_factor_.size() + factored == static_cast<size_t>(context->num_inputs()),
          invalid_argument("expected has_factor to tell of each gradient, and of as many as there are factors"));
    }
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    const tensorflow::Tensor& x = context->input(0);
    const int branches = static_cast<int>(has_factor_.size());
    std::vector<Array> gradients, factors;
    int next_factor = 1 + branches;
    for (int i = 0; i < branches; ++i) {
      gradients.push_back(array_of(context->input(1 + i)));
      factors.push_back(has_factor_[i] ? array_of(context->input(next_factor++)) : Array());
    }
    // The result takes the memory of the first gradient or of x, where that has its shape and nobody else needs it.
    tensorflow::Tensor* out = nullptr;
    const int taken = branches > 0 ? 1 : 0;
    const bool alike = context->input(taken).shape() == x.shape();
    OP_REQUIRES_OK(context, alike ? context->forward_input_or_allocate_output({taken}, 0, x.shape(), &out)
                                  : context->allocate_output(0, x.shape(), &out));
    Activating activating;
    const std::string error = make_activating(activation_, array_of(x), gradients, factors, out->data(), &activating);
    OP_REQUIRES(context, error.empty(), invalid_argument(error));
    if (activating.count() > 0) OP_REQUIRES_OK(context, Device::run(context, activating));
  }

 private:
  Activation activation_;
  std::vector<bool> has_factor_;
};

}  // namespace fullgrad
