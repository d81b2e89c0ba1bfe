// What the kernels of all devices do alike.

#pragma once

#include <new>

#include "compat.h"
#include "problem.h"

namespace fullgrad {

// Checks, allocates, and calls what a device has to:
//   absl::Status Device::workspace(const Problem&, size_t* bytes)
//   absl::Status Device::run(OpKernelContext*, const Problem&, void* maps, void* workspace)
template <class Device>
class SaliencyMap : public tensorflow::OpKernel {
 public:
  explicit SaliencyMap(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, read_options(context, &options_));
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    try {
      compute(context);
    } catch (const std::bad_alloc&) {
      context->CtxFailure(absl::ResourceExhaustedError("out of memory for the plan of the saliency map"));
    }
  }

 private:
  void compute(tensorflow::OpKernelContext* context) const {
    Problem problem;
    tensorflow::TensorShape shape;
    OP_REQUIRES_OK(context, read_problem(context, options_, &problem, &shape));
    tensorflow::Tensor* maps = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &maps));
    if (maps->NumElements() == 0) return;

    size_t bytes = 0;
    OP_REQUIRES_OK(context, Device::workspace(problem, &bytes));
    tensorflow::Tensor workspace;
    OP_REQUIRES_OK(context, context->allocate_temp(tensorflow::DT_UINT8, {static_cast<int64_t>(bytes)}, &workspace));
    OP_REQUIRES_OK(context, Device::run(context, problem, maps->data(), workspace.data()));
  }

  Options options_;
};

}  // namespace fullgrad
