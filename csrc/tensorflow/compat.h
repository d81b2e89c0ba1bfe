// The one place that touches what TensorFlow does not promise to keep between versions.

#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/saliency.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/platform/threadpool.h"

namespace fullgrad {

template <class... Parts>
absl::Status invalid_argument(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// The threads that TensorFlow's own CPU kernels run on.
inline ParallelFor cpu_threads(tensorflow::OpKernelContext* context) {
  using tensorflow::thread::ThreadPool;
  ThreadPool* threads = context->device()->tensorflow_cpu_worker_threads()->workers;
  return [threads](int64_t count, int64_t bytes, const std::function<void(int64_t, int64_t)>& body) {
    constexpr double kCyclesPerByte = 0.25;
    const auto cycles = static_cast<int64_t>(static_cast<double>(bytes) * kCyclesPerByte);
#if FULLGRAD_TENSORFLOW_MINOR >= 21
    const auto scheduling = ThreadPool::SchedulingParams::Adaptive(cycles);
#else
    const ThreadPool::SchedulingParams scheduling(ThreadPool::SchedulingStrategy::kAdaptive, cycles, std::nullopt);
#endif
    threads->ParallelFor(count, scheduling, body);
  };
}

}  // namespace fullgrad
