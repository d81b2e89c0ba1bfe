// The contract of the CUDA path: the same maps as saliency_cpu(), from terms that lie in the current device's memory.

#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "saliency.h"

namespace fullgrad {

// Bytes of device memory that saliency_cuda() needs on the current device, aligned to 64.
cudaError_t saliency_cuda_workspace(const Problem& problem, size_t* bytes);

// Puts into the stream what writes the maps, (batch, target), of problem.map_type, and returns without waiting for it.
// The terms, maps and workspace are of device memory and stay alive until the stream has come past; nothing on the host
// has to. The problem is of make_problem(); its result has the same bits at every run.
cudaError_t saliency_cuda(const Problem& problem, void* maps, void* workspace, cudaStream_t stream);

}  // namespace fullgrad
