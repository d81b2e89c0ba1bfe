// The one place that touches what TensorFlow does not promise to keep between versions.

#pragma once

#include <algorithm>
#include <atomic>
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

// The threads that TensorFlow's own CPU kernels run on. Each takes the next unit when it is free: blocks of equal size,
// as ThreadPool::ParallelFor cuts them, do not take equal time.
inline ParallelFor cpu_threads(tensorflow::OpKernelContext* context) {
  using tensorflow::thread::ThreadPool;
  ThreadPool* threads = context->device()->tensorflow_cpu_worker_threads()->workers;
  return [threads](int64_t count, int64_t bytes, const std::function<void(int64_t, int64_t)>& body) {
    constexpr int64_t kWorthAThread = 256 << 10;
    const int64_t workers = std::min({count, count * bytes / kWorthAThread + 1, int64_t{threads->NumThreads()}});
    std::atomic<int64_t> next{0};
    const auto work = [&](int64_t, int64_t) {
      for (int64_t unit = next++; unit < count; unit = next++) body(unit, unit + 1);
    };
#if FULLGRAD_TENSORFLOW_MINOR >= 20
    const auto scheduling = ThreadPool::SchedulingParams::Fixed(1);
#else
    const ThreadPool::SchedulingParams scheduling(ThreadPool::SchedulingStrategy::kFixedBlockSize, std::nullopt, 1);
#endif
    threads->ParallelFor(workers, scheduling, work);
  };
}

}  // namespace fullgrad
