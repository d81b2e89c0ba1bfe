// Threads that wait for work, as TensorFlow's do.

#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "core/saliency.h"

namespace fullgrad::testing {

class ThreadPool {
 public:
  // The caller of parallel_for() is one of the threads.
  explicit ThreadPool(int threads) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
  }

  ~ThreadPool() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      closed_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Whoever is free takes the next unit.
  ParallelFor parallel_for() {
    return [this](int64_t count, int64_t, const std::function<void(int64_t, int64_t)>& body) {
      std::atomic<int64_t> next{0};
      const auto take = [&] {
        for (int64_t unit = next++; unit < count; unit = next++) body(unit, unit + 1);
      };
      int64_t left = std::min<int64_t>(count - 1, workers_.size());
      std::condition_variable all_done;
      const auto helper = [&] {
        take();
        const std::lock_guard<std::mutex> lock(mutex_);
        if (--left == 0) all_done.notify_one();
      };
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        for (int64_t i = 0; i < left; ++i) tasks_.push_back(helper);
      }
      wake_.notify_all();
      take();
      std::unique_lock<std::mutex> lock(mutex_);
      all_done.wait(lock, [&] { return left <= 0; });
    };
  }

 private:
  void work() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return closed_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  bool closed_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace fullgrad::testing
