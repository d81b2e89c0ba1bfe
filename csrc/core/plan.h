// What the CPU and the CUDA code decide before they touch a tensor.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "saliency.h"

namespace fullgrad {

constexpr int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// What one position of a term has to be read for.
inline int64_t bytes_per_position(const Term& term) {
  return term.channels * size_of(term.gradient_type) * (term.weight_per_channel ? 1 : 2);
}

// The terms of one extent: they are summed into one buffer, and that is resized once.
struct Group {
  Extent extent;
  std::vector<size_t> terms;
};

inline std::vector<Group> group_by_extent(const std::vector<Term>& terms) {
  std::vector<Group> groups;
  for (size_t i = 0; i < terms.size(); ++i) {
    const auto same = [&](const Group& group) { return group.extent == terms[i].extent; };
    auto group = std::find_if(groups.begin(), groups.end(), same);
    if (group == groups.end()) group = groups.insert(group, Group{terms[i].extent, {}});
    group->terms.push_back(i);
  }
  return groups;
}

// Cuts a workspace into aligned arrays. Over a null base it only adds up how much they take.
class Arena {
 public:
  static constexpr size_t kAlignment = 64;

  explicit Arena(void* base) : base_(reinterpret_cast<uintptr_t>(base)) {}

  // The elements that so many take up with what aligns the next.
  template <class T>
  static int64_t aligned(int64_t count) {
    constexpr int64_t kStep = kAlignment / sizeof(T);
    return (count + kStep - 1) / kStep * kStep;
  }

  template <class T>
  T* take(int64_t count) {
    T* array = reinterpret_cast<T*>(base_ + used_);
    used_ += (count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    return array;
  }

  size_t used() const { return used_; }

 private:
  uintptr_t base_;
  size_t used_ = 0;
};

}  // namespace fullgrad
