// What compat.h is, for GPUs: its headers are heavy, and only the GPU kernel needs them.

#pragma once

#include <cuda_runtime_api.h>

#include "compat.h"
#include "xla/stream_executor/stream.h"

namespace fullgrad {

// The stream that TensorFlow's own GPU kernels of this device run on.
inline cudaStream_t gpu_stream(tensorflow::OpKernelContext* context) {
  return static_cast<cudaStream_t>(context->op_device_context()->stream()->platform_specific_handle().stream);
}

inline absl::Status cuda_status(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return absl::OkStatus();
  const std::string message =
      absl::StrCat(what, ": CUDA error ", static_cast<int>(error), ", ", cudaGetErrorString(error));
  if (error == cudaErrorMemoryAllocation) return absl::ResourceExhaustedError(message);
  return absl::InternalError(message);
}

}  // namespace fullgrad
