// The CUDA path as the op and the binding call it: no CUDA header is needed, so that whoever builds those needs no
// CUDA toolkit.

#pragma once

#include <cstddef>
#include <string>

#include "activation.h"
#include "saliency.h"

namespace fullgrad {

// What went wrong; an empty message where all is well.
struct GpuFailure {
  std::string message;
  bool out_of_memory = false;
};

// saliency_cuda_workspace() and saliency_cuda(), of a cudaStream_t.
FULLGRAD_API GpuFailure gpu_saliency_workspace(const Problem& problem, size_t* bytes);
FULLGRAD_API GpuFailure gpu_saliency(const Problem& problem, void* maps, void* workspace, void* stream);

// activate_cuda(), of a cudaStream_t.
FULLGRAD_API GpuFailure gpu_activate(const Activating& activating, void* stream);

}  // namespace fullgrad
