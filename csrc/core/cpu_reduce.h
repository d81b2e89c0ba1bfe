// Reduce: a term's sum over its channels at each position of a tile, written or added to what is there. A sum belongs
// to one position and to one task. Of a term that is rescaled this is the second pass: it sums the rescaled values, or
// rescales the sums where one range is for all channels, and the term's sums are added to its group's in the end.

#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu_instructions.h"
#include "cpu_lanes.h"

namespace fullgrad {

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

}  // namespace fullgrad
