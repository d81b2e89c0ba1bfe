// The contract of activations on GPUs: as activate_cpu(), of elements in the current device's memory.

#pragma once

#include <cuda_runtime_api.h>

#include "activation.h"

namespace fullgrad {

// Puts the work into the stream and returns without waiting for it. Of one gradient at most, of the shape of x.
cudaError_t activate_cuda(const Activating& activating, cudaStream_t stream);

}  // namespace fullgrad
