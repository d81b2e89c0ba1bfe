// What compat.h is, for GPUs: its headers are heavy, and only the GPU kernel needs them.

#pragma once

#include "compat.h"
#include "core/gpu.h"
#include "xla/stream_executor/stream.h"

namespace fullgrad {

// The stream that TensorFlow's own GPU kernels of this device run on.
inline void* gpu_stream(tensorflow::OpKernelContext* context) {
  return context->op_device_context()->stream()->platform_specific_handle().stream;
}

inline absl::Status status_of(const GpuFailure& failure) {
  if (failure.message.empty()) return absl::OkStatus();
  if (failure.out_of_memory) return absl::ResourceExhaustedError(failure.message);
  return absl::InternalError(failure.message);
}

}  // namespace fullgrad
