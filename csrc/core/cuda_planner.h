// Cuts a problem into the units of cuda_plan.h, tells their order, and gives each array its place in the workspace.

#pragma once

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "cuda_plan.h"
#include "cuda_schedule.h"
#include "numerics.h"
#include "plan.h"

namespace fullgrad {

// What a unit reads, at most and at least: large ones are cheaper, and small ones share a small problem among all
// blocks. Where a term is read twice, what lies between the two readings has to stay in the cache.
inline constexpr int64_t kMostUnitBytes = 128 << 10;
inline constexpr int64_t kMostUnitBytesReadTwice = 32 << 10;
inline constexpr int64_t kLeastUnitBytes = 16 << 10;
inline constexpr int64_t kUnitsPerBlock = 8;

// A batch is worked through in so many parts, so that one's maps are resized while the next is read.
inline constexpr int64_t kParts = 8;

template <class Real>
class CudaPlanner {
 public:
  // For so many blocks at a time. Over a null workspace it only finds out how large that must be.
  CudaPlanner(const Problem& problem, int blocks, void* workspace)
      : problem_(problem), arena_(workspace), blocks_(blocks), schedule_(blocks) {
    plan_.target = problem.target;
    plan_.options = problem.options;
    plan_.rectification = rectification_of<Real>(problem.options.rectifier);
    for (const Group& group : group_by_extent(problem.terms)) add_group(group);
    unit_bytes_ = unit_bytes();
    plan_steps();
    place();
  }

  // Units are counted in 32 bits, and each block takes one more than there are.
  bool too_many_units() const { return too_many_per_image_ || schedule_.units() > kMostUnits - 2 * blocks_; }

  size_t workspace() const { return arena_.used(); }
  const CudaPlan<Real>& plan() const { return plan_; }

  // What has to be copied to the start of the workspace, and the bytes after it that have to be zero.
  const std::vector<char>& upload() const { return upload_; }
  void* zeroed() const { return plan_.next; }
  size_t zeroed_bytes() const { return zeroed_bytes_; }

 private:
  static constexpr int64_t kMostUnits = std::numeric_limits<unsigned int>::max();

  bool channels_last() const { return problem_.options.layout == Layout::kChannelsLast; }
  bool per_channel() const { return problem_.options.rescale == Rescale::kPerChannel; }
  bool per_sample() const { return problem_.options.rescale == Rescale::kPerSample; }

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

  int64_t unit_bytes() const {
    int64_t bytes = 0;
    for (size_t i = 0; i < terms_.size(); ++i) bytes += problem_.batch * bytes_per_image(i);
    const int64_t fair = bytes / (blocks_ * kUnitsPerBlock);
    return std::clamp(fair, kLeastUnitBytes, per_channel() ? kMostUnitBytesReadTwice : kMostUnitBytes);
  }

  int64_t bytes_per_image(size_t i) const { return bytes_per_position(*sources_[i]) * terms_[i].positions; }

  Step step_of(StepKind kind, size_t index, int64_t units_per_image, int64_t tile) {
    too_many_per_image_ = too_many_per_image_ || units_per_image > kMostUnits;
    Step step = {};
    step.kind = kind;
    step.index = static_cast<int>(index);
    step.units_per_image = static_cast<unsigned int>(units_per_image);
    step.tile = static_cast<int>(tile);
    step.waits_for = step.signals = kNoCounter;
    return step;
  }

  // What units signal to, and how many do: known once all of them are planned.
  struct Event {
    int counter;
    int64_t units = 0;
  };

  Event new_event() { return {counters_++}; }

  static Step after(Step step, const Event& event) {
    step.waits_for = event.counter;
    step.until = static_cast<unsigned int>(event.units);
    return step;
  }

  // Returns how many units the step has over so many images.
  static int64_t signals(Step* step, int64_t images, Event* event) {
    const int64_t units = images * step->units_per_image;
    event->units += units;
    step->signals = event->counter;
    step->signalled = static_cast<unsigned int>(event->units);
    return units;
  }

  void plan_steps() {
    Event prepared = new_event();
    const auto prepare = [&](StepKind kind, size_t index, int64_t elements) {
      Step step = step_of(kind, index, divide_up(elements, kElementsPerUnit), kElementsPerUnit);
      const int64_t units = signals(&step, 1, &prepared);
      schedule_.add(step, units);
    };
    for (size_t i = 0; i < terms_.size(); ++i) {
      if (sources_[i]->weight_per_channel) prepare(StepKind::kConvert, i, terms_[i].channels);
    }
    const int64_t entries = problem_.target[0] + problem_.target[1] + problem_.target[2];
    for (size_t g = 0; g < groups_.size(); ++g) prepare(StepKind::kPlace, g, entries);

    const int64_t part = divide_up(problem_.batch, kParts);
    for (int64_t image = 0; image < problem_.batch; image += part) {
      plan_images(image, std::min(part, problem_.batch - image), prepared);
    }
    schedule_.finish();
  }

  void plan_images(int64_t first, int64_t images, const Event& prepared) {
    Event reduced = new_event(), added = new_event();
    for (size_t i = 0; i < terms_.size(); ++i) plan_term(i, first, images, prepared, &reduced);

    int64_t sums = 0;
    for (const CudaGroup<Real>& group : groups_) sums += group.positions;
    Step add = after(step_of(StepKind::kAdd, 0, divide_up(sums, kElementsPerUnit), kElementsPerUnit), reduced);
    add.image = static_cast<int>(first);
    schedule_.add_after_all(add, signals(&add, images, &added));

    const int64_t strips = divide_up(problem_.target[0] * problem_.target[1], kRowsPerThread);
    const int64_t units = divide_up(strips * problem_.target[2], kThreads);
    Step resize = after(step_of(StepKind::kResize, 0, units, kThreads), added);
    resize.image = static_cast<int>(first);
    schedule_.add_after_all(resize, images * units);
  }

  void plan_term(size_t i, int64_t first, int64_t images, const Event& prepared, Event* reduced) {
    if (!per_channel()) {
      Step reduce = after(reduce_step(i), prepared);
      reduce.image = static_cast<int>(first);
      const int64_t units = signals(&reduce, images, reduced);
      schedule_.add(reduce, units);
      return;
    }
    // Images that are measured together lie between the two readings of each.
    const int64_t together = std::max<int64_t>(1, blocks_ * unit_bytes_ / bytes_per_image(i));
    for (int64_t image = first; image < first + images; image += together) {
      const int64_t some = std::min(together, first + images - image);
      Event measured = new_event();
      Step measure = after(measure_step(i), prepared);
      measure.image = static_cast<int>(image);
      const int64_t units = signals(&measure, some, &measured);
      schedule_.add(measure, units);
      ++measured.units;  // For what is made of the ranges after the last.
      Step reduce = after(reduce_step(i), measured);
      reduce.image = static_cast<int>(image);
      schedule_.add_later(reduce, signals(&reduce, some, reduced));
    }
  }

  // How many elements are read at a time.
  static int64_t width_of(const CudaTerm<Real>& term) {
    return term.vectors ? kVectorBytes / size_of(term.gradient_type) : 1;
  }

  // So many pieces of about one size, of whole steps each.
  static int64_t tile_of(int64_t size, int64_t most, int64_t step) {
    const int64_t pieces = divide_up(size, std::max(step, most));
    return divide_up(divide_up(size, pieces), step) * step;
  }

  Step reduce_step(size_t i) {
    const CudaTerm<Real>& term = terms_[i];
    // What the block reads in one go.
    const int64_t width = width_of(term);
    const int64_t at_once = channels_last() ? kRows<Real> * kThreads / lanes_for(term.channels / width, kWarp)
                                            : segment(term.vectors) * width;
    const int64_t tile = tile_of(term.positions, unit_bytes_ / bytes_per_position(*sources_[i]), at_once);
    return step_of(StepKind::kReduce, i, divide_up(term.positions, tile), tile);
  }

  Step measure_step(size_t i) {
    const CudaTerm<Real>& term = terms_[i];
    const int64_t bytes = bytes_per_position(*sources_[i]);
    if (channels_last()) {
      const int64_t tile = std::max(kRangePositions, unit_bytes_ / bytes);
      return step_of(StepKind::kMeasure, i, divide_up(term.positions, tile), tile);
    }
    // Each warp has a channel at a time.
    const int64_t warps = kThreads / kWarp;
    const int64_t warp_bytes = unit_bytes_ / warps, element_bytes = bytes / term.channels;
    // Of whole vectors, since each tile starts where one is read.
    const int64_t width = width_of(term), most = warp_bytes / element_bytes / width;
    const int64_t tile = std::min(term.positions, std::max<int64_t>(1, most) * width);
    const int64_t channels = std::max<int64_t>(1, warp_bytes / (element_bytes * tile)) * warps;
    const int64_t units = divide_up(term.positions, tile) * divide_up(term.channels, channels);
    Step step = step_of(StepKind::kMeasure, i, units, tile);
    step.tile_channels = static_cast<int>(channels);
    return step;
  }

  void place() {
    auto* terms = arena_.take<CudaTerm<Real>>(terms_.size());
    auto* groups = arena_.take<CudaGroup<Real>>(groups_.size());
    auto* steps = arena_.take<Step>(schedule_.steps().size());
    auto* starts = arena_.take<unsigned int>(schedule_.starts().size());
    const size_t uploaded = arena_.used();

    plan_.next = arena_.take<unsigned int>(1);
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
      group.sums = arena_.take<Real>(problem_.batch * group.positions);
      group.samples = arena_.take<AxisSample<Real>>(problem_.target[0] + problem_.target[1] + problem_.target[2]);
    }

    plan_.terms = terms;
    plan_.groups = groups;
    plan_.steps = steps;
    plan_.starts = starts;
    plan_.groups_count = static_cast<int>(groups_.size());
    plan_.steps_count = static_cast<int>(schedule_.steps().size());
    plan_.units = static_cast<unsigned int>(schedule_.units());
    upload_.resize(uploaded);
    const auto copy = [&](const auto& array, const void* to) {
      const char* start = reinterpret_cast<const char*>(terms);
      std::memcpy(upload_.data() + (static_cast<const char*>(to) - start), array.data(),
                  array.size() * sizeof(array[0]));
    };
    copy(terms_, terms);
    copy(groups_, groups);
    copy(schedule_.steps(), steps);
    copy(schedule_.starts(), starts);
  }

  const Problem& problem_;
  Arena arena_;
  int64_t blocks_;
  CudaSchedule schedule_;
  CudaPlan<Real> plan_ = {};
  std::vector<CudaTerm<Real>> terms_;
  std::vector<const Term*> sources_;  // Of each of terms_.
  std::vector<CudaGroup<Real>> groups_;
  int64_t unit_bytes_ = 0;
  bool too_many_per_image_ = false;
  int counters_ = 0;
  std::vector<char> upload_;
  size_t zeroed_bytes_ = 0;
};

}  // namespace fullgrad
