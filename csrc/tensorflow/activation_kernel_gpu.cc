// The activations on TensorFlow's own stream.

#include "activation_kernel.h"
#include "compat_gpu.h"
#include "core/gpu.h"

namespace fullgrad {
namespace {

struct Gpu {
  static absl::Status run(tensorflow::OpKernelContext* context, const Activating& activating) {
    return status_of(gpu_activate(activating, gpu_stream(context)));
  }
};

REGISTER_KERNEL_BUILDER(Name("KerasFullgrad>Activate").Device(tensorflow::DEVICE_GPU), Activate<Gpu>);
REGISTER_KERNEL_BUILDER(Name("KerasFullgrad>ActivateGrad").Device(tensorflow::DEVICE_GPU), Activate<Gpu>);

}  // namespace
}  // namespace fullgrad
