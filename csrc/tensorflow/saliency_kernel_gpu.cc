// The GPU kernel: the core on TensorFlow's own stream. Nothing waits for the GPU: the workspace goes back to an
// allocator that hands it out again in the order of the same stream.

#include "compat_gpu.h"
#include "core/gpu.h"
#include "saliency_kernel.h"

namespace fullgrad {
namespace {

struct Gpu {
  static absl::Status workspace(const Problem& problem, size_t* bytes) {
    return status_of(gpu_saliency_workspace(problem, bytes));
  }

  static absl::Status run(tensorflow::OpKernelContext* context, const Problem& problem, void* maps, void* workspace) {
    return status_of(gpu_saliency(problem, maps, workspace, gpu_stream(context)));
  }
};

REGISTER_KERNEL_BUILDER(Name("KerasFullgrad>SaliencyMap").Device(tensorflow::DEVICE_GPU).HostMemory("size"),
                        SaliencyMap<Gpu>);

}  // namespace
}  // namespace fullgrad
