// The CPU kernel: the core on TensorFlow's own threads.

#include "saliency_kernel.h"

namespace fullgrad {
namespace {

struct Cpu {
  static absl::Status workspace(const Problem& problem, size_t* bytes) {
    *bytes = saliency_cpu_workspace(problem);
    return absl::OkStatus();
  }

  static absl::Status run(tensorflow::OpKernelContext* context, const Problem& problem, void* maps, void* workspace) {
    saliency_cpu(problem, maps, workspace, cpu_threads(context));
    return absl::OkStatus();
  }
};

REGISTER_KERNEL_BUILDER(Name("KerasFullgrad>SaliencyMap").Device(tensorflow::DEVICE_CPU), SaliencyMap<Cpu>);

}  // namespace
}  // namespace fullgrad
