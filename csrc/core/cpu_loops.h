// The inner loops of the CPU path: what one task does to one tile of one term.

#pragma once

#include <algorithm>
#include <cstdint>

#include "numerics.h"
#include "plan.h"

namespace fullgrad {

// A sum over channels is kept in this many partial sums, whatever the instruction set: it vectorises without leave to
// reorder, and gives the same bits on every machine.
inline constexpr int kLanes = 16;

// Compiled for several instruction sets, of which the machine's best is taken when the program starts. Everything
// called is compiled into it, so that all of the loop is. FULLGRAD_BASELINE leaves the others out, for sanitizers: they
// are not there yet when the program looks for the best.
#if defined(__x86_64__) && !defined(FULLGRAD_BASELINE) && defined(__GNUC__) && !defined(__clang__)
#define FULLGRAD_DISPATCHED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), flatten))
inline constexpr const char* kInstructionSets[] = {"x86-64-v4", "x86-64-v3", "baseline"};
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

// How far ahead memory is asked for. By itself the processor fetches ahead within a page, and waits at each next one.
inline constexpr int64_t kPrefetchBytes = 4096;
inline constexpr int64_t kLineBytes = 64;

// A weight for each channel, already converted, or for each element.
template <class Real>
struct ChannelWeight {
  static constexpr bool kPerChannel = true;
  const Real* values;
  Real operator()(int64_t channel, int64_t) const { return values[channel]; }
};

template <class Real, class Element>
struct ElementWeight {
  static constexpr bool kPerChannel = false;
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

  // Asks for what lies ahead of kLanes elements.
  void prefetch(int64_t element) const {
    constexpr int64_t kBytes = kLanes * sizeof(Element);
    const auto ahead = reinterpret_cast<uintptr_t>(gradient + element) + kPrefetchBytes;  // Maybe beyond its end.
    for (int64_t line = 0; line < kBytes; line += kLineBytes) {
      __builtin_prefetch(reinterpret_cast<const void*>(ahead + line));
    }
  }

  // What is measured in the term's stead: a channel's weight keeps the order of its gradients or reverses it, so that
  // it need not be applied before the ends of their range are known.
  Real key(int64_t channel, int64_t element) const {
    if constexpr (!Weight::kPerChannel) return (*this)(channel, element);
    const Real value = load<Real>(gradient[element]);
    return rectifier == Rectifier::kAbsolute ? std::fabs(value) : value;
  }

  Range<Real> range(int64_t channel, Range<Real> keys) const {
    if constexpr (!Weight::kPerChannel) return keys;
    const Real a = rectify<rectifier>(weight(channel, 0) * keys.min);
    const Real b = rectify<rectifier>(weight(channel, 0) * keys.max);
    return {nan_min(a, b), plain_max(a, b)};
  }

  // Not where the weight is infinite: 0 among the gradients gives NaN.
  bool range_follows_from_keys(int64_t channel) const {
    return !Weight::kPerChannel || weight(channel, 0) - weight(channel, 0) == 0;
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
  void prefetch(int64_t element) const { rectified.prefetch(element); }
  Real operator()(int64_t channel, int64_t element) const {
    return (rectified(channel, element) - rescale.min[channel]) * rescale.factor[channel];
  }
};

// Where the elements of an image lie whose channels are taken one after the other: in planes, or, of pixels, side by
// side. Too few to fill the lanes, channels of a pixel leave them to the positions.
struct Planes {
  int64_t size;
  int64_t operator()(int64_t channel, int64_t position) const { return channel * size + position; }
};

struct Pixels {
  static constexpr int64_t kChannels = 3;
  int64_t operator()(int64_t channel, int64_t position) const { return position * kChannels + channel; }
};

template <class Real, class Function>
Real fold(Real (&lanes)[kLanes], Function function) {
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) lanes[lane] = function(lanes[lane], lanes[lane + width]);
  }
  return lanes[0];
}

// The sums over the lanes, (kCount, kWidth), of many positions: side by side none waits for another.
template <int kCount, int kWidth, class Real>
void sum_lanes(const Real* lanes, Real* sums) {
  constexpr int kHalf = kWidth / 2;
  Real halves[kCount * kHalf];
  for (int row = 0; row < kCount; ++row) {
    for (int lane = 0; lane < kHalf; ++lane) {
      const Real* at = lanes + row * kWidth + lane;
      halves[row * kHalf + lane] = at[0] + at[kHalf];
    }
  }
  if constexpr (kHalf == 1) {
    std::copy_n(halves, kCount, sums);
  } else {
    sum_lanes<kCount, kHalf>(halves, sums);
  }
}

// Channels [first, last) of all channels: with what is kept for each of them they fit the first-level cache.
struct ChannelBlock {
  int64_t first, last, channels;
};

inline constexpr int64_t kChannelsPerBlock = 1024;

// Calls add(lane, channel, element) for the channels of a block at one position. Between vectors it asks for what lies
// ahead: all at once, that would keep the adding from it.
template <class Value, class Add>
void for_lanes(const Value& value, int64_t position, ChannelBlock block, Add add) {
  const int64_t first = position * block.channels;
  int64_t c = block.first;
  // Left to itself, GCC unrolls the lanes and does not always make vectors of what it gets.
  for (; c + kLanes <= block.last; c += kLanes) {
    value.prefetch(first + c);
#pragma omp simd
    for (int lane = 0; lane < kLanes; ++lane) add(lane, c + lane, first + c + lane);
  }
  if (c + kLanes / 2 <= block.last) {  // Most channel counts are multiples of 8, and this keeps them in registers.
    value.prefetch(first + c);
#pragma omp simd
    for (int lane = 0; lane < kLanes / 2; ++lane) add(lane, c + lane, first + c + lane);
    c += kLanes / 2;
  }
  for (int lane = 0; c < block.last; ++c, ++lane) add(lane, c, first + c);
}

// Calls store(position, sum) at positions [begin, end), with the sum of part(lane, channel, element) over a block's
// channels. Memory is read best as one stream, position by position; the sums over the lanes wait for kLanes positions.
template <class Real, class Value, class Part, class Store>
void sum_channels(const Value& value, int64_t begin, int64_t end, ChannelBlock block, Part part, Store store) {
  const auto sum = [&](int64_t position, auto count) {
    Real lanes[count][kLanes], totals[count];
    for (int row = 0; row < count; ++row) {
      Real sums[kLanes] = {};  // One position's, so that they are registers.
      for_lanes(value, position + row, block,
                [&](int lane, int64_t c, int64_t element) { sums[lane] += part(lane, c, element); });
      std::copy_n(sums, kLanes, lanes[row]);
    }
    sum_lanes<count, kLanes>(*lanes, totals);
    for (int row = 0; row < count; ++row) store(position + row, totals[row]);
  };
  int64_t position = begin;
  for (; position + kLanes <= end; position += kLanes) sum(position, std::integral_constant<int, kLanes>());
  for (; position < end; ++position) sum(position, std::integral_constant<int, 1>());
}

template <class Real>
struct ChannelRanges {
  Real* min;  // (channels,)
  Real* max;
};

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

template <class Real>
FULLGRAD_DISPATCHED void rescale_sums(int64_t begin, int64_t end, Real least, Real factor, Real* sums) {
  FULLGRAD_NO_ALIAS
  for (int64_t i = begin; i < end; ++i) sums[i] = (sums[i] - least) * factor;
}

template <class Real>
FULLGRAD_DISPATCHED void add_sums(const Real* from, int64_t begin, int64_t end, bool add, Real* sums) {
  FULLGRAD_NO_ALIAS
  for (int64_t i = begin; i < end; ++i) sums[i] = add ? sums[i] + from[i] : from[i];
}

template <class Value, class Real>
FULLGRAD_DISPATCHED void reduce_channels_last(Value value, int64_t begin, int64_t end, ChannelBlock block, Real factor,
                                              bool add, Real* sums) {
  const auto part = [&](int, int64_t c, int64_t element) { return value(c, element); };
  sum_channels<Real>(value, begin, end, block, part, [&](int64_t position, Real sum) {
    sum *= factor;
    sums[position] = add ? sums[position] + sum : sum;
  });
}

template <class Value, class Elements, class Real>
FULLGRAD_DISPATCHED void reduce_one_by_one(Value value, Elements elements, int64_t begin, int64_t end, int64_t channels,
                                           Real factor, bool add, Real* sums) {
  constexpr int64_t kBlock = 256;
  for (int64_t block = begin; block < end; block += kBlock) {
    const int64_t count = std::min(kBlock, end - block);
    Real partial[kBlock] = {};
    for (int64_t c = 0; c < channels; ++c) {
      FULLGRAD_NO_ALIAS
      for (int64_t i = 0; i < count; ++i) partial[i] += value(c, elements(c, block + i));
    }
    for (int64_t i = 0; i < count; ++i) {
      const Real sum = factor * partial[i];
      sums[block + i] = add ? sums[block + i] + sum : sum;
    }
  }
}

// Where the columns of a target lie in a source row. Those between the same two columns of the source are a run.
template <class Real>
struct Columns {
  int64_t source;
  int64_t* ends;   // (source,): of the run right of each column of the source
  Real* fraction;  // (width + kLanes,)
};

// Run by run nothing is gathered, lanes at a time, of which those beyond a run are overwritten by the next: `wide` has
// room for width + kLanes.
template <class Real>
FULLGRAD_DISPATCHED void stretch(const Real* narrow, Columns<Real> columns, Real* wide) {
  int64_t x = 0;
  for (int64_t column = 0; column < columns.source; ++column) {
    const Real left = narrow[column];
    const Real right = narrow[std::min(column + 1, columns.source - 1)];
    for (; x < columns.ends[column]; x += kLanes) {
#pragma omp simd
      for (int lane = 0; lane < kLanes; ++lane) {
        wide[x + lane] = interpolate(left, right, columns.fraction[x + lane]);
      }
    }
    x = columns.ends[column];
  }
}

// Source rows of the target's width around one target row, and how far it lies from the near and the top ones.
template <class Real>
struct Rows {
  const Real *near_top, *near_bottom, *far_top, *far_bottom;
  Real down, back;
};

template <class Real>
FULLGRAD_DISPATCHED void add_blend(Rows<Real> rows, int64_t width, Real* out) {
  if (rows.back == 0) {
    FULLGRAD_NO_ALIAS
    for (int64_t x = 0; x < width; ++x) out[x] += interpolate(rows.near_top[x], rows.near_bottom[x], rows.down);
    return;
  }
  FULLGRAD_NO_ALIAS
  for (int64_t x = 0; x < width; ++x) {
    const Real near = interpolate(rows.near_top[x], rows.near_bottom[x], rows.down);
    const Real far = interpolate(rows.far_top[x], rows.far_bottom[x], rows.down);
    out[x] += interpolate(near, far, rows.back);
  }
}

}  // namespace fullgrad
