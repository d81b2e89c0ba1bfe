#include "gpu.h"

#include "activation_cuda.h"
#include "saliency_cuda.h"

namespace fullgrad {
namespace {

GpuFailure failure(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return {};
  const std::string code = std::to_string(static_cast<int>(error));
  return {std::string(what) + ": CUDA error " + code + ", " + cudaGetErrorString(error),
          error == cudaErrorMemoryAllocation};
}

}  // namespace

GpuFailure gpu_saliency_workspace(const Problem& problem, size_t* bytes) {
  return failure(saliency_cuda_workspace(problem, bytes), "planning the saliency map");
}

GpuFailure gpu_saliency(const Problem& problem, void* maps, void* workspace, void* stream) {
  return failure(saliency_cuda(problem, maps, workspace, static_cast<cudaStream_t>(stream)),
                 "launching the saliency map");
}

GpuFailure gpu_activate(const Activating& activating, void* stream) {
  return failure(activate_cuda(activating, static_cast<cudaStream_t>(stream)), "launching the activation");
}

}  // namespace fullgrad
