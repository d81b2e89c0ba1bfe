// The CPU path, in three stages:
//
//   1. rescale  each rectified term, and sum its channels                             (only where it is rescaled)
//   2. reduce   each term over its channels, terms of one extent into one buffer
//   3. resize   the buffers to the target size and add them up
//
// Stage 1 takes two passes, since minimum and maximum are known only when all is read. One thread does both over what
// fits its cache, and of a larger term both over the same tiles: the second pass finds them in a cache.
// Stages 1 and 2 run over waves of terms, so that what stage 1 leaves for stage 2 stays small. While one wave is
// reduced the next is rescaled: nobody waits for the last thread, and memory is never idle.
// How the work is cut changes no bit: a sum over channels belongs to one position, terms and groups are added in
// their order, and minimum and maximum do not depend on an order.

#pragma once

#include <algorithm>
#include <deque>
#include <vector>

#include "cpu_instructions.h"
#include "cpu_lanes.h"
#include "cpu_measure.h"
#include "cpu_plan.h"
#include "cpu_reduce.h"
#include "cpu_resize.h"
#include "cpu_terms.h"
#include "numerics.h"
#include "pipeline.h"
#include "plan.h"
#include "rectify.h"
#include "saliency.h"
#include "saliency_cpu.h"
#include "two_passes.h"

namespace fullgrad {

inline constexpr size_t kWavesInFlight = 3;  // One rescaled, one reduced, and one between, so that neither waits.
inline constexpr int64_t kRowsPerTask = 16;

template <class Real>
class Saliency {
 public:
  Saliency(const Problem& problem, void* workspace)
      : problem_(problem),
        groups_(group_by_extent(problem.terms)),
        arena_(workspace),
        waves_(CpuPlanner<Real>(problem, groups_).waves()) {
    for (const Term& term : problem.terms) weights_.push_back(term.weight_per_channel ? take(term.channels) : nullptr);
    for (const Group& group : groups_) {
      sums_.push_back(take(problem.batch * positions(group.extent)));
      const int64_t source = group.extent[2];
      columns_.push_back({source, arena_.take<int64_t>(source), take(width() + kLanes)});
    }
    tasks_per_image_ = divide_up(rows(), kRowsPerTask);
    expanded_ = take(problem.batch * tasks_per_image_ * kRowSlots * slot_size());
    int64_t most = 0;
    for (Wave<Real>& wave : waves_) most = std::max(most, lay_out(&wave, nullptr));
    char* scratch = arena_.take<char>(most * kWavesInFlight);
    for (size_t i = 0; i < waves_.size(); ++i) lay_out(&waves_[i], scratch + i % kWavesInFlight * most);
  }

  size_t workspace() const { return arena_.used(); }

  void run(Real* maps, const ParallelFor& parallel_for) {
    prepare();
    Pipeline pipeline;
    Pipeline::Steps rescaled, reduced;
    const size_t lag = rescales() ? 1 : 0;
    for (size_t i = 0; i < waves_.size() + lag; ++i) {
      if (rescales() && i < waves_.size()) {
        Pipeline::Steps needs;
        if (i >= kWavesInFlight) needs.push_back(reduced[i - kWavesInFlight]);  // It leaves its scratch memory.
        rescaled.push_back(rescale(&waves_[i], needs, &pipeline));
      }
      if (i >= lag) {
        Pipeline::Steps needs;
        if (rescales()) needs.push_back(rescaled[i - lag]);
        if (i > lag) needs.push_back(reduced.back());  // Sums are added up in the order of the terms.
        reduced.push_back(reduce(waves_[i - lag], needs, &pipeline));
      }
    }
    pipeline.run(kTileBytes, parallel_for);
    resize(maps, parallel_for);
  }

 private:
  // Expanded source rows are kept by the parity of their depth and height: a target row needs two of each at most.
  static constexpr int64_t kRowSlots = 4;

  Real* take(int64_t count) { return arena_.take<Real>(count); }
  bool rescales() const { return problem_.options.rescale != Rescale::kNone; }
  bool per_sample() const { return problem_.options.rescale == Rescale::kPerSample; }
  bool channels_last() const { return problem_.options.layout == Layout::kChannelsLast; }
  int64_t width() const { return problem_.target[2]; }
  int64_t slot_size() const { return width() + kLanes; }  // stretch() writes lanes beyond a row.
  int64_t rows() const { return problem_.target[0] * problem_.target[1]; }

  void prepare() const {
    for (size_t i = 0; i < problem_.terms.size(); ++i) {
      const Term& term = problem_.terms[i];
      if (!term.weight_per_channel) continue;
      with_any_type(term.weight_type, [&](auto element) {
        const auto* from = static_cast<const decltype(element)*>(term.weight);
        std::transform(from, from + term.channels, weights_[i], [](auto weight) { return load<Real>(weight); });
      });
    }
    for (const Columns<Real>& columns : columns_) {
      int64_t column = 0;
      for (int64_t x = 0; x < width(); ++x) {
        const Sample sample = sample_axis(x, columns.source, width(), problem_.options.resize);
        while (column < sample.lower) columns.ends[column++] = x;
        columns.fraction[x] = static_cast<Real>(sample.fraction);
      }
      std::fill(columns.ends + column, columns.ends + columns.source, width());
      std::fill_n(columns.fraction + width(), kLanes, Real(0));
    }
  }

  // Calls function(Rectified) with the compiled form that fits the term.
  template <class Function>
  void with_term(const Term& term, int64_t image, Function function) const {
    const int64_t offset = image * term.channels * positions(term.extent);
    const Rectification<Real> by = rectification_of<Real>(problem_.options.rectifier);
    with_type<Real>(term.gradient_type, [&](auto element) {
      using Element = decltype(element);
      const auto* gradient = static_cast<const Element*>(term.gradient) + offset;
      if (term.weight_per_channel) {
        const ChannelWeight<Real> weight{weights_[&term - problem_.terms.data()]};
        function(Rectified<Real, Element, ChannelWeight<Real>>{by, gradient, weight});
      } else {
        const ElementWeight<Real, Element> weight{static_cast<const Element*>(term.weight) + offset};
        function(Rectified<Real, Element, ElementWeight<Real, Element>>{by, gradient, weight});
      }
    });
  }

  const Pipeline::Step* rescale(Wave<Real>* wave, const Pipeline::Steps& needs, Pipeline* pipeline) const {
    return pipeline->add(wave->helpers.size(), needs, [this, wave](int64_t i) {
      const size_t index = wave->helpers[i];
      const RescaledTerm<Real>& rescaled = wave->rescaled[index];
      wave->passes[index].help([&](int64_t tile) { measure(rescaled, tile); }, [&] { combine(rescaled); },
                               [&](int64_t tile) { sum(rescaled, tile); });
    });
  }

  void measure(const RescaledTerm<Real>& rescaled, int64_t tile) const {
    const Term& term = *rescaled.term;
    const int64_t begin = rescaled.begin(tile), end = rescaled.end(tile);
    const ChannelRanges<Real> ranges = rescaled.ranges_of(tile);
    with_term(term, rescaled.image, [&](auto rectified) {
      if (per_sample()) {
        const Real start = origin_of_sums(rectified(0, 0));
        Range<Real> range;
        with_order(
            term,
            [&](auto elements) {
              range = sum_and_measure_one_by_one(rectified, elements, begin, end, term.channels, start, rescaled.sums);
            },
            [&] { range = sum_and_measure_channels_last(rectified, begin, end, term.channels, start, rescaled.sums); });
        *ranges.min = range.min;
        *ranges.max = range.max;
        return;
      }
      std::fill_n(ranges.min, term.channels, Range<Real>().min);
      std::fill_n(ranges.max, term.channels, Range<Real>().max);
      with_order(
          term, [&](auto elements) { measure_one_by_one(rectified, elements, begin, end, term.channels, ranges); },
          [&] {
            for_blocks(term.channels,
                       [&](ChannelBlock block) { measure_channels_last(rectified, begin, end, block, ranges); });
          });
    });
  }

  void combine(const RescaledTerm<Real>& rescaled) const {
    const ChannelRanges<Real> ranges = rescaled.ranges_of(0);
    for (int64_t tile = 1; tile < rescaled.tiles(); ++tile) {
      merge(ranges, rescaled.ranges_of(tile), rescaled.ranges_per_tile);
    }
    with_term(*rescaled.term, rescaled.image, [&](auto rectified) {
      const int64_t channels = rescaled.term->channels;
      if (!per_sample()) {
        prepare_rescale(rectified, ranges, channels);
        return prepare_by_values(rectified, rescaled.size(), channels, channels_last(), ranges);
      }
      const Range<Real> range{*ranges.min, *ranges.max};
      *ranges.min = static_cast<Real>(channels) * (range.min - origin_of_sums(rectified(0, 0)));
      *ranges.max = inverse_range(range, Rescale::kPerSample) * factor(*rescaled.term);
    });
  }

  void sum(const RescaledTerm<Real>& rescaled, int64_t tile) const {
    const Term& term = *rescaled.term;
    const int64_t begin = rescaled.begin(tile), end = rescaled.end(tile);
    const auto [min, scale] = rescaled.ranges_of(0);
    if (per_sample()) return rescale_sums(begin, end, *min, *scale, rescaled.sums);
    with_term(term, rescaled.image, [&, rescale = ChannelRescale<Real>{min, scale}](auto rectified) {
      reduce(term, Rescaled<Real, decltype(rectified)>{rectified, rescale}, begin, end, false, rescaled.sums);
    });
  }

  Real factor(const Term& term) const { return channels_factor<Real>(problem_.options.channels, term.channels); }

  // Calls one_by_one(elements) where the term's channels are to be taken one after the other, else side_by_side().
  template <class OneByOne, class SideBySide>
  void with_order(const Term& term, OneByOne one_by_one, SideBySide side_by_side) const {
    if (!channels_last() || term.channels == 1) return one_by_one(Planes{positions(term.extent)});
    if (term.channels == Pixels::kChannels) return one_by_one(Pixels{});
    side_by_side();
  }

  // Sums the term's channels at positions [begin, end).
  template <class Value>
  void reduce(const Term& term, const Value& value, int64_t begin, int64_t end, bool add, Real* sums) const {
    with_order(
        term,
        [&](auto elements) { reduce_one_by_one(value, elements, begin, end, term.channels, factor(term), add, sums); },
        [&] {
          for_blocks(term.channels, [&](ChannelBlock block) {
            reduce_channels_last(value, begin, end, block, factor(term), add || block.first > 0, sums);
          });
        });
  }

  const Pipeline::Step* reduce(const Wave<Real>& wave, const Pipeline::Steps& needs, Pipeline* pipeline) const {
    return pipeline->add(wave.tiles.size(), needs, [this, &wave](int64_t i) { reduce_tile(wave, wave.tiles[i]); });
  }

  void reduce_tile(const Wave<Real>& wave, const Tile& tile) const {
    const Segment& segment = wave.segments[tile.segment];
    const Group& group = groups_[segment.group];
    const int64_t size = positions(group.extent);
    Real* sums = sums_[segment.group] + segment.image * size;
    for (size_t i = segment.first; i < segment.last; ++i) {
      if (rescales()) {
        const RescaledTerm<Real>& rescaled = wave.rescaled[segment.first_rescaled + i - segment.first];
        add_sums(rescaled.sums, tile.begin, tile.end, i > 0, sums);
        continue;
      }
      const Term& term = problem_.terms[group.terms[i]];
      with_term(term, segment.image,
                [&](auto rectified) { reduce(term, rectified, tile.begin, tile.end, i > 0, sums); });
    }
  }

  void resize(Real* maps, const ParallelFor& parallel_for) const {
    const int64_t bytes = kRowsPerTask * width() * sizeof(Real) * static_cast<int64_t>(groups_.size());
    parallel_for(problem_.batch * tasks_per_image_, bytes, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t image = task / tasks_per_image_;
        const int64_t first = task % tasks_per_image_ * kRowsPerTask;
        const int64_t last = std::min(rows(), first + kRowsPerTask);
        Real* image_map = maps + image * rows() * width();
        std::fill(image_map + first * width(), image_map + last * width(), Real(0));
        for (size_t g = 0; g < groups_.size(); ++g) {
          add_resized(g, image, first, last, expanded_ + task * kRowSlots * slot_size(), image_map);
        }
      }
    });
  }

  // Target rows [first, last) of one image. A source row is stretched to the target's width once, and what is left is
  // to blend whole rows.
  void add_resized(size_t g, int64_t image, int64_t first, int64_t last, Real* slots, Real* image_map) const {
    const Extent& source = groups_[g].extent;
    const Extent& target = problem_.target;
    const Real* sums = sums_[g] + image * positions(source);
    int64_t held[kRowSlots] = {-1, -1, -1, -1};
    const auto expanded = [&](int64_t depth, int64_t height) -> const Real* {
      const int64_t row = depth * source[1] + height;
      const Real* narrow = sums + row * source[2];
      if (source[2] == width()) return narrow;
      const int64_t at = depth % 2 * 2 + height % 2;
      Real* wide = slots + at * slot_size();
      if (held[at] != row) stretch(narrow, columns_[g], wide);
      held[at] = row;
      return wide;
    };
    for (int64_t row = first; row < last; ++row) {
      const Sample depth = sample_axis(row / target[1], source[0], target[0], problem_.options.resize);
      const Sample height = sample_axis(row % target[1], source[1], target[1], problem_.options.resize);
      const Rows<Real> rows{expanded(depth.lower, height.lower), expanded(depth.lower, height.upper),
                            expanded(depth.upper, height.lower), expanded(depth.upper, height.upper),
                            static_cast<Real>(height.fraction),  static_cast<Real>(depth.fraction)};
      add_blend(rows, width(), image_map + row * width());
    }
  }

  const Problem& problem_;
  const std::vector<Group> groups_;
  Arena arena_;
  std::vector<Real*> weights_;          // For each term with a weight per channel: (channels,).
  std::vector<Real*> sums_;             // For each group: (batch, extent).
  std::vector<Columns<Real>> columns_;  // For each group: where target columns lie.
  Real* expanded_;                      // (tasks of the resize, kRowSlots, slot_size())
  int64_t tasks_per_image_;
  std::deque<Wave<Real>> waves_;
};

template <class Real>
size_t workspace_of(const Problem& problem) {
  return Saliency<Real>(problem, nullptr).workspace();
}

template <class Real>
void run(const Problem& problem, void* maps, void* workspace, const ParallelFor& parallel_for) {
  Saliency<Real>(problem, workspace).run(static_cast<Real*>(maps), parallel_for);
}

}  // namespace fullgrad
