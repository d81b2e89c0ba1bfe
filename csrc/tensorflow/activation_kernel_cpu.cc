// The activations on TensorFlow's own threads.

#include "activation_kernel.h"

namespace fullgrad {
namespace {

struct Cpu {
  static absl::Status run(tensorflow::OpKernelContext* context, const Activating& activating) {
    activate_cpu(activating, cpu_threads(context));
    return absl::OkStatus();
  }
};

REGISTER_KERNEL_BUILDER(Name("KerasFullgrad>Activate").Device(tensorflow::DEVICE_CPU), Activate<Cpu>);
REGISTER_KERNEL_BUILDER(Name("KerasFullgrad>ActivateGrad").Device(tensorflow::DEVICE_CPU), Activate<Cpu>);

}  // namespace
}  // namespace fullgrad
