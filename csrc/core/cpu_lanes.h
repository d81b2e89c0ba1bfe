// What the CPU's loops share: folds over the lanes, and the way through channels that lie side by side. Each lane adds
// up every so many channels, and then the lanes are added up by halves: an order that neither the machine nor the
// number of threads changes.

#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "cpu_instructions.h"

namespace fullgrad {

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

// Calls function(ChannelBlock) for each block of so many channels.
template <class Function>
void for_blocks(int64_t channels, Function function) {
  for (int64_t first = 0; first < channels; first += kChannelsPerBlock) {
    function(ChannelBlock{first, std::min(channels, first + kChannelsPerBlock), channels});
  }
}

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

}  // namespace fullgrad
