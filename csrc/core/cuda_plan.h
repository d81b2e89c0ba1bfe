// What the CUDA kernel is told: terms, groups, and the steps of its work in their order. Written on the host, read on
// the device.
//
//   convert  weights per channel to the type of the arithmetic        place  target positions along each axis
//   measure  minimum and maximum of each rectified term per image and channel     (rescaled per channel only)
//   reduce   each term over its channels                             add    the terms of one extent
//   resize   the groups to the target size and add them up
//
// A step is many units, each for one block of threads. Blocks take the units in their order and wait until the units
// that theirs depends on are done. Those were all taken before, by blocks that run, so the wait ends.

#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

#include "numerics.h"
#include "plan.h"

namespace fullgrad {

inline constexpr int kThreads = 256;
inline constexpr int64_t kWarp = 32;
inline constexpr int64_t kVectorBytes = 16;

inline constexpr int kRows = 4;  // Vectors that each thread has on their way before it uses the first.

inline constexpr int64_t kUnitBytes = 32 << 10;
inline constexpr int64_t kRangePositions = 32;  // At least so many share a channel's two atomics.
inline constexpr int64_t kElementsPerUnit = 4 * kThreads;
inline constexpr int64_t kRowsPerUnit = 8;
inline constexpr int64_t kColumnsPerUnit = kThreads;

template <class Real>
using KeyOf = std::conditional_t<sizeof(Real) == 8, unsigned long long, unsigned int>;

template <class Real>
struct CudaTerm {
  const void* gradient;      // (batch, positions, channels), or (batch, channels, positions)
  const void* weight;        // (channels,), or the gradient's shape
  Real* weights;             // (channels,), the weight converted; null where it has the gradient's shape
  Real* sums;                // (batch, positions), over the channels
  KeyOf<Real>*least, *most;  // (batch, channels), or (batch,): keys of the range; per channel, then what rescales
  Real* origins;             // (batch,): the value that sums count from where one range is for all channels
  int64_t channels, positions;
  DataType gradient_type, weight_type;
  bool vectors;  // Can be read 16 bytes at a time.
};

template <class Real>
struct AxisSample {
  int64_t lower;
  Real fraction;  // 0: the position above must not be read.
};

// Terms [first, last) are of one extent.
template <class Real>
struct CudaGroup {
  Extent extent;
  int64_t positions;
  int64_t first, last;
  Real* sums;                 // (batch, positions), over channels and terms
  AxisSample<Real>* samples;  // (target depth + height + width,)
};

enum class StepKind { kConvert, kPlace, kMeasure, kReduce, kAdd, kResize };

struct Step {
  int64_t first;  // The first of its units.
  StepKind kind;
  int index;                // Of a term or a group.
  int64_t image;            // The first of its images.
  int64_t units_per_image;  // Where the step goes over images.
  int64_t tile;             // Positions, elements or rows of one unit.
  int64_t tile_channels;    // Channels of one unit, where channels come first and are measured.
  int waits_for;            // A counter, and what it must have come to.
  unsigned int until;
  int signals;  // The counter that each finished unit adds 1 to.
};

template <class Real>
struct CudaPlan {
  const CudaTerm<Real>* terms;
  const CudaGroup<Real>* groups;
  const Step* steps;
  unsigned long long* next;  // The unit to be taken next.
  unsigned int* counters;
  int groups_count;
  int steps_count;
  int64_t units;
  Extent target;
  Options options;
};

// So many threads side by side read `vectors` of one row: a power of two.
constexpr int lanes_for(int64_t vectors, int64_t most) {
  int lanes = 1;
  while (lanes < vectors && lanes < most) lanes *= 2;
  return lanes;
}

// Vectors that neighbouring threads read of one channel, where channels come first: a cache line.
constexpr int segment(bool vectors) { return vectors ? 8 : 32; }

template <class Real>
class CudaPlanner {
 public:
  // For so many blocks at a time. Over a null workspace it only finds out how large that must be.
  CudaPlanner(const Problem& problem, int blocks, void* workspace) : problem_(problem), arena_(workspace) {
    plan_.target = problem.target;
    plan_.options = problem.options;
    for (const Group& group : group_by_extent(problem.terms)) add_group(group);
    plan_steps(blocks);
    place();
  }

  size_t workspace() const { return arena_.used(); }
  const CudaPlan<Real>& plan() const { return plan_; }

  // What has to be copied to the start of the workspace, and the bytes after it that have to be zero.
  const std::vector<char>& upload() const { return upload_; }
  void* zeroed() const { return plan_.next; }
  size_t zeroed_bytes() const { return zeroed_bytes_; }

 private:
  static constexpr int kNone = 0;  // A counter that nobody waits for.
  static constexpr int kConverted = 1;
  static constexpr int kPlaced = 2;  // Positions are placed and groups summed: all that a resize needs.

  bool channels_last() const { return problem_.options.layout == Layout::kChannelsLast; }
  bool per_channel() const { return problem_.options.rescale == Rescale::kPerChannel; }
  bool per_sample() const { return problem_.options.rescale == Rescale::kPerSample; }

  // The sums of a group's only term are the group's, unless they are still to be rescaled.
  bool single(size_t g) const { return groups_[g].last - groups_[g].first == 1 && !per_sample(); }

  void add_group(const Group& group) {
    CudaGroup<Real> planned = {};
    planned.extent = group.extent;
    planned.positions = positions(group.extent);
    planned.first = static_cast<int64_t>(terms_.size());
    for (size_t index : group.terms) {
      const Term& term = problem_.terms[index];
      CudaTerm<Real> more = {};
      more.gradient = term.gradient;
      more.weight = term.weight;
      more.channels = term.channels;
      more.positions = planned.positions;
      more.gradient_type = term.gradient_type;
      more.weight_type = term.weight_type;
      more.vectors = vectors(term);
      terms_.push_back(more);
      sources_.push_back(&term);
    }
    planned.last = static_cast<int64_t>(terms_.size());
    groups_.push_back(planned);
  }

  bool vectors(const Term& term) const {
    const auto aligned = [](const void* array) { return reinterpret_cast<uintptr_t>(array) % kVectorBytes == 0; };
    const int64_t run = channels_last() ? term.channels : positions(term.extent);
    return run * size_of(term.gradient_type) % kVectorBytes == 0 && aligned(term.gradient) &&
           (term.weight_per_channel || aligned(term.weight));
  }

  static Step step_of(StepKind kind, int64_t index, int64_t units_per_image, int64_t tile) {
    Step step = {};
    step.kind = kind;
    step.index = static_cast<int>(index);
    step.units_per_image = units_per_image;
    step.tile = tile;
    step.waits_for = step.signals = kNone;
    return step;
  }

  static Step after(Step step, int counter, int64_t until) {
    step.waits_for = counter;
    step.until = static_cast<unsigned int>(until);
    return step;
  }

  // Returns how many units the step has.
  int64_t add_step(Step step, int64_t images, int signals) {
    step.first = plan_.units;
    step.signals = signals;
    steps_.push_back(step);
    plan_.units += images * step.units_per_image;
    return images * step.units_per_image;
  }

  void plan_steps(int blocks) {
    int64_t converted = 0, placed = 0;
    for (size_t i = 0; i < terms_.size(); ++i) {
      if (!sources_[i]->weight_per_channel) continue;
      const int64_t units = divide_up(terms_[i].channels, kElementsPerUnit);
      converted += add_step(step_of(StepKind::kConvert, i, units, kElementsPerUnit), 1, kConverted);
    }
    const int64_t entries = problem_.target[0] + problem_.target[1] + problem_.target[2];
    for (size_t g = 0; g < groups_.size(); ++g) {
      const int64_t units = divide_up(entries, kElementsPerUnit);
      placed += add_step(step_of(StepKind::kPlace, g, units, kElementsPerUnit), 1, kPlaced);
    }

    const std::vector<int64_t> reduced = plan_waves(blocks, converted);
    for (size_t g = 0; g < groups_.size(); ++g) {
      if (single(g)) {
        placed += reduced[g];
        continue;
      }
      const int64_t units = divide_up(groups_[g].positions, kElementsPerUnit);
      const Step add = step_of(StepKind::kAdd, g, units, kElementsPerUnit);
      placed += add_step(after(add, reduced_counter(g), reduced[g]), problem_.batch, kPlaced);
    }
    const int64_t units = divide_up(problem_.target[0] * problem_.target[1], kRowsPerUnit) *
                          divide_up(problem_.target[2], kColumnsPerUnit);
    add_step(after(step_of(StepKind::kResize, 0, units, kRowsPerUnit), kPlaced, placed), problem_.batch, kNone);
  }

  // What the units that reduce a group's terms are counted by.
  int reduced_counter(size_t g) const { return single(g) ? kPlaced : kPlaced + 1 + static_cast<int>(g); }

  // Terms rescaled per channel are read twice. A wave gives each block about one unit to measure, and while it is
  // reduced the next is measured: so the second reading comes from the cache, and seldom waits. Returns how many units
  // reduce each group.
  std::vector<int64_t> plan_waves(int blocks, int64_t converted) {
    struct Reduction {
      Step step;
      int64_t images;
      int signals;
    };
    const int64_t wave_bytes = blocks * kUnitBytes;
    std::vector<int64_t> reduced(groups_.size());
    std::vector<Reduction> last_wave, wave;
    int64_t bytes = 0;
    const auto end_wave = [&] {
      for (const Reduction& reduction : last_wave) add_step(reduction.step, reduction.images, reduction.signals);
      last_wave = std::move(wave);
      wave.clear();
      bytes = 0;
    };
    counters_ = kPlaced + 1 + static_cast<int>(groups_.size());
    for (size_t g = 0; g < groups_.size(); ++g) {
      for (int64_t i = groups_[g].first; i < groups_[g].last; ++i) {
        const int64_t image_bytes = bytes_per_position(*sources_[i]) * groups_[g].positions;
        const int64_t per_wave = per_channel() ? std::max<int64_t>(1, wave_bytes / image_bytes) : problem_.batch;
        for (int64_t image = 0; image < problem_.batch; image += per_wave) {
          const int64_t images = std::min(per_wave, problem_.batch - image);
          Step reduce = after(reduce_step(i), kConverted, converted);
          reduce.image = image;
          if (per_channel()) {
            Step measure = after(measure_step(i), kConverted, converted);
            measure.image = image;
            const int measured = counters_++;
            // One more than units, for what is made of the ranges after the last.
            reduce = after(reduce, measured, add_step(measure, images, measured) + 1);
          }
          reduced[g] += images * reduce.units_per_image;
          wave.push_back({reduce, images, reduced_counter(g)});
          bytes += images * image_bytes;
          if (bytes >= wave_bytes) end_wave();
        }
      }
    }
    end_wave();
    end_wave();
    return reduced;
  }

  Step reduce_step(int64_t i) const {
    const CudaTerm<Real>& term = terms_[i];
    // What the block reads in one go.
    const int64_t width = term.vectors ? kVectorBytes / size_of(term.gradient_type) : 1;
    const int64_t at_once =
        channels_last() ? kRows * kThreads / lanes_for(term.channels / width, kWarp) : segment(term.vectors) * width;
    const int64_t bytes = bytes_per_position(*sources_[i]) * at_once;
    const int64_t tile = std::max<int64_t>(1, kUnitBytes / bytes) * at_once;
    return step_of(StepKind::kReduce, i, divide_up(term.positions, tile), tile);
  }

  Step measure_step(int64_t i) const {
    const CudaTerm<Real>& term = terms_[i];
    const int64_t bytes = bytes_per_position(*sources_[i]);
    if (channels_last()) {
      const int64_t tile = std::max(kRangePositions, kUnitBytes / bytes);
      return step_of(StepKind::kMeasure, i, divide_up(term.positions, tile), tile);
    }
    // Each warp has a channel at a time.
    const int64_t warps = kThreads / kWarp;
    const int64_t warp_bytes = kUnitBytes / warps, element_bytes = bytes / term.channels;
    const int64_t tile = std::min(term.positions, warp_bytes / element_bytes);
    const int64_t channels = std::max<int64_t>(1, warp_bytes / (element_bytes * tile)) * warps;
    const int64_t units = divide_up(term.positions, tile) * divide_up(term.channels, channels);
    Step step = step_of(StepKind::kMeasure, i, units, tile);
    step.tile_channels = channels;
    return step;
  }

  void place() {
    auto* terms = arena_.take<CudaTerm<Real>>(terms_.size());
    auto* groups = arena_.take<CudaGroup<Real>>(groups_.size());
    auto* steps = arena_.take<Step>(steps_.size());
    const size_t uploaded = arena_.used();

    plan_.next = arena_.take<unsigned long long>(1);
    plan_.counters = arena_.take<unsigned int>(counters_);
    for (size_t i = 0; i < terms_.size() && problem_.options.rescale != Rescale::kNone; ++i) {
      const int64_t ranges = problem_.batch * (per_sample() ? 1 : terms_[i].channels);
      terms_[i].least = arena_.take<KeyOf<Real>>(ranges);
      terms_[i].most = arena_.take<KeyOf<Real>>(ranges);
    }
    zeroed_bytes_ = arena_.used() - uploaded;

    for (size_t i = 0; i < terms_.size(); ++i) {
      if (sources_[i]->weight_per_channel) terms_[i].weights = arena_.take<Real>(terms_[i].channels);
      if (per_sample()) terms_[i].origins = arena_.take<Real>(problem_.batch);
      terms_[i].sums = arena_.take<Real>(problem_.batch * terms_[i].positions);
    }
    for (CudaGroup<Real>& group : groups_) {
      group.sums = single(&group - groups_.data()) ? terms_[group.first].sums
                                                   : arena_.take<Real>(problem_.batch * group.positions);
      group.samples = arena_.take<AxisSample<Real>>(problem_.target[0] + problem_.target[1] + problem_.target[2]);
    }

    plan_.terms = terms;
    plan_.groups = groups;
    plan_.steps = steps;
    plan_.groups_count = static_cast<int>(groups_.size());
    plan_.steps_count = static_cast<int>(steps_.size());
    upload_.resize(uploaded);
    const auto copy = [&](const auto& array, const void* to) {
      const char* start = reinterpret_cast<const char*>(terms);
      std::memcpy(upload_.data() + (static_cast<const char*>(to) - start), array.data(),
                  array.size() * sizeof(array[0]));
    };
    copy(terms_, terms);
    copy(groups_, groups);
    copy(steps_, steps);
  }

  const Problem& problem_;
  Arena arena_;
  CudaPlan<Real> plan_ = {};
  std::vector<CudaTerm<Real>> terms_;
  std::vector<const Term*> sources_;  // Of each of terms_.
  std::vector<CudaGroup<Real>> groups_;
  std::vector<Step> steps_;
  int counters_ = 0;
  std::vector<char> upload_;
  size_t zeroed_bytes_ = 0;
};

}  // namespace fullgrad
