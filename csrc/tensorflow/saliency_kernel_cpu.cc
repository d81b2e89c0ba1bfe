// The CPU kernel: checks, allocates, and calls the core on TensorFlow's own threads.

#include <new>

#include "compat.h"
#include "problem.h"

namespace fullgrad {
namespace {

using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;

class SaliencyMapCpu : public tensorflow::OpKernel {
 public:
  explicit SaliencyMapCpu(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, read_options(context, &options_));
  }

  void Compute(OpKernelContext* context) override {
    try {
      compute(context);
    } catch (const std::bad_alloc&) {
      context->CtxFailure(absl::ResourceExhaustedError("out of memory for the plan of the saliency map"));
    }
  }

 private:
  void compute(OpKernelContext* context) const {
    Problem problem;
    tensorflow::TensorShape shape;
    OP_REQUIRES_OK(context, read_problem(context, options_, &problem, &shape));
    Tensor* maps = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &maps));
    if (maps->NumElements() == 0) return;

    Tensor workspace;
    const auto bytes = static_cast<int64_t>(saliency_cpu_workspace(problem));
    OP_REQUIRES_OK(context, context->allocate_temp(tensorflow::DT_UINT8, {bytes}, &workspace));
    saliency_cpu(problem, maps->data(), workspace.data(), cpu_threads(context));
  }

  Options options_;
};

REGISTER_KERNEL_BUILDER(Name("KerasFullgrad>SaliencyMap").Device(tensorflow::DEVICE_CPU), SaliencyMapCpu);

}  // namespace
}  // namespace fullgrad
