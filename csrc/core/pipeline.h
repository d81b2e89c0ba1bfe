// Work in an order, without barriers.

#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <iterator>
#include <thread>
#include <utility>
#include <vector>

#include "saliency.h"

namespace fullgrad {

// Runs steps of many units each, on any number of threads. Whoever is free takes the next unit, in their order, and
// waits until the steps that its own step needs are done. All their units were taken before, so the wait ends.
class Pipeline {
 public:
  struct Step;
  using Steps = std::vector<const Step*>;
  struct Step {
    int64_t first;
    Steps needs;
    std::function<void(int64_t)> run;
    std::atomic<int64_t> left;
    std::atomic<bool> done;

    Step(int64_t first, int64_t units, Steps needs, std::function<void(int64_t)> run)
        : first(first), needs(std::move(needs)), run(std::move(run)), left(units), done(false) {}
  };

  // Adds a step of at least one unit, which needs steps that were added before.
  const Step* add(int64_t units, Steps needs, std::function<void(int64_t)> run) {
    steps_.emplace_back(units_, units, std::move(needs), std::move(run));
    units_ += units;
    return &steps_.back();
  }

  // `bytes` is about what a unit reads.
  void run(int64_t bytes, const ParallelFor& parallel_for) {
    std::atomic<int64_t> next{0};
    parallel_for(units_, bytes, [&](int64_t begin, int64_t end) {
      for (; begin < end; ++begin) run_unit(next++);
    });
  }

 private:
  void run_unit(int64_t unit) {
    const auto before = [](int64_t unit, const Step& step) { return unit < step.first; };
    Step& step = *std::prev(std::upper_bound(steps_.begin(), steps_.end(), unit, before));
    for (const Step* needed : step.needs) {
      while (!needed->done.load(std::memory_order_acquire)) std::this_thread::yield();
    }
    step.run(unit - step.first);
    if (step.left.fetch_sub(1, std::memory_order_acq_rel) == 1) step.done.store(true, std::memory_order_release);
  }

  std::deque<Step> steps_;
  int64_t units_ = 0;
};

}  // namespace fullgrad
