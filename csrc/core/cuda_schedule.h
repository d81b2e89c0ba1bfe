// The order of the CUDA kernel's steps. What reads memory comes in the order in which it is told. What waits for it
// comes later: at least `distance` units after those that it waits for, so that they are done by then, and in turns
// with what reads, a unit of each: so the memory is read while blocks compute, or read what the cache still has.

#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include "cuda_plan.h"

namespace fullgrad {

class CudaSchedule {
 public:
  explicit CudaSchedule(int64_t distance) : distance_(distance) {}

  void add(const Step& step, int64_t units) {
    Job job = {step, units, 0};
    while (job.left > 0) {
      if (later_.empty() || later_.front().due > units_) {
        put(&job, later_.empty() ? job.left : std::min(job.left, later_.front().due - units_));
      } else {
        put_in_turns(&later_.front(), &job);
        drop_done();
      }
    }
  }

  // Of a step that waits for what was added last.
  void add_later(const Step& step, int64_t units) { later_.push_back({step, units, units_ + distance_}); }

  // Of a step that waits for all that is still to come later, too.
  void add_after_all(const Step& step, int64_t units) {
    later_.push_back({step, units, later_.empty() ? units_ + distance_ : kUnknown});
  }

  void finish() {
    while (!later_.empty()) {
      put(&later_.front(), later_.front().left);
      drop_done();
    }
  }

  int64_t units() const { return units_; }
  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<unsigned int>& starts() const { return starts_; }

 private:
  static constexpr int64_t kUnknown = -1;

  struct Job {
    Step step;
    int64_t left;  // Units.
    int64_t due;   // Not before so many units of others.
  };

  void put_step(Job* job, int64_t units, bool in_turns) {
    steps_.push_back(job->step);
    steps_.back().in_turns = in_turns;
    starts_.push_back(static_cast<unsigned int>(units_));
    job->step.first += static_cast<unsigned int>(units);
    job->left -= units;
  }

  void put(Job* job, int64_t units) {
    put_step(job, units, false);
    units_ += units;
  }

  void put_in_turns(Job* one, Job* other) {
    const int64_t units = std::min(one->left, other->left);
    put_step(one, units, false);
    put_step(other, units, true);
    units_ += 2 * units;
  }

  void drop_done() {
    if (later_.front().left > 0) return;
    later_.pop_front();
    if (!later_.empty() && later_.front().due == kUnknown) later_.front().due = units_ + distance_;
  }

  int64_t distance_;
  int64_t units_ = 0;
  std::vector<Step> steps_;
  std::vector<unsigned int> starts_;
  std::deque<Job> later_;
};

}  // namespace fullgrad
