// The inner loops of the CPU path: what one task does to one tile of one term.

#pragma once

#include <algorithm>
#include <cstdint>

#include "numerics.h"

namespace fullgrad {

// A sum over channels is kept in this many partial sums, whatever the instruction set: it vectorises without leave to
// reorder, and gives the same bits on every machine.
inline constexpr int kLanes = 16;

// Compiled for several instruction sets, of which the machine's best is taken when the program starts. Everything
// called is compiled into it, so that all of the loop is.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FULLGRAD_DISPATCHED __attribute__((target_clones("arch=x86-64-v3", "default"), flatten))
inline constexpr const char* kInstructionSets[] = {"x86-64-v3", "baseline"};
#else
#define FULLGRAD_DISPATCHED
inline constexpr const char* kInstructionSets[] = {"baseline"};
#endif

// The loop's iterations touch different memory.
#if defined(__clang__)
#define FULLGRAD_NO_ALIAS _Pragma("clang loop vectorize(assume_safety)")
#else
#define FULLGRAD_NO_ALIAS _Pragma("GCC ivdep")
#endif

// A weight for each channel, already converted, or for each element.
template <class Real>
struct ChannelWeight {
  const Real* values;
  Real operator()(int64_t channel, int64_t) const { return values[channel]; }
};

template <class Real, class Element>
struct ElementWeight {
  const Element* values;
  Real operator()(int64_t, int64_t element) const { return load<Real>(values[element]); }
};

// The rectified term at one element of an image.
template <Rectifier rectifier, class Real, class Element, class Weight>
struct Rectified {
  const Element* gradient;
  Weight weight;
  Real operator()(int64_t channel, int64_t element) const {
    return rectify<rectifier>(weight(channel, element) * load<Real>(gradient[element]));
  }
};

// (t - min) * factor, each (channels,).
template <class Real>
struct ChannelRescale {
  Real* min;
  Real* factor;
};

template <class Real, class Rectified>
struct Rescaled {
  Rectified rectified;
  ChannelRescale<Real> rescale;
  Real operator()(int64_t channel, int64_t element) const {
    return (rectified(channel, element) - rescale.min[channel]) * rescale.factor[channel];
  }
};

template <class Real, class Function>
Real fold(Real (&lanes)[kLanes], Function function) {
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) lanes[lane] = function(lanes[lane], lanes[lane + width]);
  }
  return lanes[0];
}

template <class Real>
struct ChannelRanges {
  Real* min;  // (channels,)
  Real* max;
};

template <class Value, class Real>
FULLGRAD_DISPATCHED void measure_channels_last(Value value, int64_t begin, int64_t end, int64_t channels,
                                               ChannelRanges<Real> ranges) {
  // One position after the other, although the ranges are then read and written each time: memory is read best as one
  // stream.
  for (int64_t position = begin; position < end; ++position) {
    const int64_t element = position * channels;
    FULLGRAD_NO_ALIAS
    for (int64_t c = 0; c < channels; ++c) {
      const Real t = value(c, element + c);
      ranges.min[c] = nan_min(ranges.min[c], t);
      ranges.max[c] = plain_max(ranges.max[c], t);
    }
  }
}

template <class Value, class Real>
FULLGRAD_DISPATCHED void measure_channels_first(Value value, int64_t begin, int64_t end, int64_t size, int64_t channels,
                                                ChannelRanges<Real> ranges) {
  for (int64_t c = 0; c < channels; ++c) {
    Real mins[kLanes], maxs[kLanes];
    std::fill_n(mins, kLanes, Range<Real>().min);
    std::fill_n(maxs, kLanes, Range<Real>().max);
    const auto add = [&](int lane, int64_t position) {
      const Real t = value(c, c * size + position);
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

// The sum over the channels of one position, whose first element is `element`.
template <class Real, class Value>
Real sum_channels(const Value& value, int64_t element, int64_t channels) {
  if (channels < kLanes) {
    Real sum = 0;
    for (int64_t c = 0; c < channels; ++c) sum += value(c, element + c);
    return sum;
  }
  Real lanes[kLanes] = {};
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += value(c + lane, element + c + lane);
  }
  if (c + kLanes / 2 <= channels) {  // Most channel counts are multiples of 8, and this keeps them in registers.
    for (int lane = 0; lane < kLanes / 2; ++lane) lanes[lane] += value(c + lane, element + c + lane);
    c += kLanes / 2;
  }
  for (int lane = 0; c < channels; ++c, ++lane) lanes[lane] += value(c, element + c);
  return fold(lanes, [](Real a, Real b) { return a + b; });
}

template <class Value, class Real>
FULLGRAD_DISPATCHED void reduce_channels_last(Value value, int64_t begin, int64_t end, int64_t channels, Real factor,
                                              bool add, Real* sums) {
  for (int64_t position = begin; position < end; ++position) {
    const Real sum = factor * sum_channels<Real>(value, position * channels, channels);
    sums[position] = add ? sums[position] + sum : sum;
  }
}

template <class Value, class Real>
FULLGRAD_DISPATCHED void reduce_channels_first(Value value, int64_t begin, int64_t end, int64_t size, int64_t channels,
                                               Real factor, bool add, Real* sums) {
  constexpr int64_t kBlock = 256;
  for (int64_t block = begin; block < end; block += kBlock) {
    const int64_t count = std::min(kBlock, end - block);
    Real partial[kBlock] = {};
    for (int64_t c = 0; c < channels; ++c) {
      FULLGRAD_NO_ALIAS
      for (int64_t i = 0; i < count; ++i) partial[i] += value(c, c * size + block + i);
    }
    for (int64_t i = 0; i < count; ++i) {
      const Real sum = factor * partial[i];
      sums[block + i] = add ? sums[block + i] + sum : sum;
    }
  }
}

}  // namespace fullgrad
