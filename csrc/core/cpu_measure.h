// Measure: the first of the two passes over a term that is rescaled, and what lies between the two. A task measures one
// tile: the range of each channel, or the one range of all channels and, in the same reading, the sums over them. The
// tiles' ranges are merged and turned into what rescales the term; no range depends on the order of what it is of.

#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu_instructions.h"
#include "cpu_lanes.h"
#include "cpu_terms.h"
#include "numerics.h"
#include "saliency.h"

namespace fullgrad {

// Positions of so few channels are measured four at a time, lest each waits for the ranges that the one before has just
// written.
inline constexpr int64_t kFewChannels = 128;

template <int kRows, class Value, class Real>
void measure_positions(const Value& value, int64_t position, ChannelBlock block, ChannelRanges<Real> ranges) {
  const auto measure = [&](int64_t c) {
    Real min = ranges.min[c];
    Real max = ranges.max[c];
#pragma GCC unroll 4
    for (int row = 0; row < kRows; ++row) {
      const Real t = value.key(c, (position + row) * block.channels + c);
      min = nan_min(min, t);
      max = plain_max(max, t);
    }
    ranges.min[c] = min;
    ranges.max[c] = max;
  };
  int64_t c = block.first;
  for (; c + kLanes <= block.last; c += kLanes) {
    for (int row = 0; row < kRows; ++row) value.prefetch((position + row) * block.channels + c);
#pragma omp simd
    for (int lane = 0; lane < kLanes; ++lane) measure(c + lane);
  }
  FULLGRAD_NO_ALIAS
  for (; c < block.last; ++c) measure(c);
}

template <class Value, class Real>
FULLGRAD_DISPATCHED void measure_channels_last(Value value, int64_t begin, int64_t end, ChannelBlock block,
                                               ChannelRanges<Real> ranges) {
  int64_t position = begin;
  if (block.channels <= kFewChannels) {
    for (; position + 4 <= end; position += 4) measure_positions<4>(value, position, block, ranges);
  }
  for (; position < end; ++position) measure_positions<1>(value, position, block, ranges);
}

template <class Value, class Elements, class Real>
FULLGRAD_DISPATCHED void measure_one_by_one(Value value, Elements elements, int64_t begin, int64_t end,
                                            int64_t channels, ChannelRanges<Real> ranges) {
  for (int64_t c = 0; c < channels; ++c) {
    Real mins[kLanes], maxs[kLanes];
    std::fill_n(mins, kLanes, Range<Real>().min);
    std::fill_n(maxs, kLanes, Range<Real>().max);
    const auto add = [&](int lane, int64_t position) {
      const Real t = value.key(c, elements(c, position));
      mins[lane] = nan_min(mins[lane], t);
      maxs[lane] = plain_max(maxs[lane], t);
    };
    int64_t position = begin;
    for (; position + kLanes <= end; position += kLanes) {
      for (int lane = 0; lane < kLanes; ++lane) add(lane, position + lane);
    }
    for (int lane = 0; position < end; ++position, ++lane) add(lane, position);
    ranges.min[c] = fold(mins, [](Real a, Real b) { return nan_min(a, b); });
    ranges.max[c] = fold(maxs, [](Real a, Real b) { return plain_max(a, b); });
  }
}

template <class Real>
FULLGRAD_DISPATCHED void merge(ChannelRanges<Real> ranges, ChannelRanges<Real> more, int64_t channels) {
  FULLGRAD_NO_ALIAS
  for (int64_t c = 0; c < channels; ++c) {
    ranges.min[c] = nan_min(ranges.min[c], more.min[c]);
    ranges.max[c] = plain_max(ranges.max[c], more.max[c]);
  }
}

// Turns the ranges of one term, in place, into what rescales it.
template <class Value, class Real>
FULLGRAD_DISPATCHED void prepare_rescale(Value value, ChannelRanges<Real> measured, int64_t channels) {
  for (int64_t c = 0; c < channels; ++c) {
    const Range<Real> range = value.range(c, {measured.min[c], measured.max[c]});
    measured.min[c] = range.min;
    measured.max[c] = inverse_range(range, Rescale::kPerChannel);
  }
}

// The same for those channels that prepare_rescale() cannot do, whose values are looked at once more: they are few.
template <class Value, class Real>
void prepare_by_values(const Value& value, int64_t positions, int64_t channels, bool channels_last,
                       ChannelRanges<Real> measured) {
  for (int64_t c = 0; c < channels; ++c) {
    if (value.range_follows_from_keys(c)) continue;
    Range<Real> range;
    for (int64_t p = 0; p < positions; ++p) {
      const Real t = value(c, channels_last ? p * channels + c : c * positions + p);
      range.min = nan_min(range.min, t);
      range.max = plain_max(range.max, t);
    }
    measured.min[c] = range.min;
    measured.max[c] = inverse_range(range, Rescale::kPerChannel);
  }
}

// The range of a term at some positions, and at each of them the sum over its channels of what it is beyond `origin`,
// one of its values: so the sums stay as small as the range is, and can be rescaled once that is known.
template <class Value, class Real>
FULLGRAD_DISPATCHED Range<Real> sum_and_measure_channels_last(Value value, int64_t begin, int64_t end, int64_t channels,
                                                              Real origin, Real* sums) {
  Real mins[kLanes], maxs[kLanes];
  std::fill_n(mins, kLanes, Range<Real>().min);
  std::fill_n(maxs, kLanes, Range<Real>().max);
  const auto part = [&](int lane, int64_t c, int64_t element) {
    const Real t = value(c, element);
    mins[lane] = nan_min(mins[lane], t);
    maxs[lane] = plain_max(maxs[lane], t);
    return t - origin;
  };
  sum_channels<Real>(value, begin, end, {0, channels, channels}, part,
                     [&](int64_t position, Real sum) { sums[position] = sum; });
  return {fold(mins, [](Real a, Real b) { return nan_min(a, b); }),
          fold(maxs, [](Real a, Real b) { return plain_max(a, b); })};
}

template <class Value, class Elements, class Real>
FULLGRAD_DISPATCHED Range<Real> sum_and_measure_one_by_one(Value value, Elements elements, int64_t begin, int64_t end,
                                                           int64_t channels, Real origin, Real* sums) {
  constexpr int64_t kBlock = 256;
  Real mins[kBlock], maxs[kBlock];
  std::fill_n(mins, kBlock, Range<Real>().min);
  std::fill_n(maxs, kBlock, Range<Real>().max);
  for (int64_t block = begin; block < end; block += kBlock) {
    const int64_t count = std::min(kBlock, end - block);
    Real partial[kBlock] = {};
    for (int64_t c = 0; c < channels; ++c) {
      FULLGRAD_NO_ALIAS
      for (int64_t i = 0; i < count; ++i) {
        const Real t = value(c, elements(c, block + i));
        partial[i] += t - origin;
        mins[i] = nan_min(mins[i], t);
        maxs[i] = plain_max(maxs[i], t);
      }
    }
    std::copy_n(partial, count, sums + block);
  }
  Range<Real> range;
  for (int64_t i = 0; i < kBlock; ++i) {
    range.min = nan_min(range.min, mins[i]);
    range.max = plain_max(range.max, maxs[i]);
  }
  return range;
}

}  // namespace fullgrad
