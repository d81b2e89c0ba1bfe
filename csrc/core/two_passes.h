// Two passes over the same data, the second out of each core's own cache.

#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace fullgrad {

// Any number of threads may help, each when it comes. It takes tiles for the first pass while there are any, waits
// until others have done theirs, and does the second pass over its own, the latest first.
class TwoPasses {
 public:
  explicit TwoPasses(int64_t tiles) : taken_before_(tiles), next_(0), left_(tiles), between_done_(false) {}

  // `between` runs once, after the whole first pass and before the second.
  template <class First, class Between, class Second>
  void help(First first, Between between, Second second) {
    const auto tiles = static_cast<int64_t>(taken_before_.size());
    int64_t latest = kNone, count = 0;
    for (int64_t tile; (tile = next_.fetch_add(1, std::memory_order_relaxed)) < tiles; ++count) {
      first(tile);
      taken_before_[tile] = latest;
      latest = tile;
    }
    if (count == 0) return;
    if (left_.fetch_sub(count, std::memory_order_acq_rel) == count) {
      between();
      between_done_.store(true, std::memory_order_release);
    }
    while (!between_done_.load(std::memory_order_acquire)) std::this_thread::yield();
    for (; latest != kNone; latest = taken_before_[latest]) second(latest);
  }

 private:
  static constexpr int64_t kNone = -1;

  std::vector<int64_t> taken_before_;  // By the same thread.
  std::atomic<int64_t> next_, left_;
  std::atomic<bool> between_done_;
};

}  // namespace fullgrad
