// Ranges: minimum and maximum through integer atomics, which give the same bits in any order. A thread keeps a range of
// what it has read, the threads that read the same channels merge theirs, and one of them widens the range in memory,
// which blocks share.

#pragma once

#include <cuda_runtime.h>

#include "cuda_plan.h"
#include "numerics.h"

namespace fullgrad {

// Keeps the order of numbers, and is more than 0 for each. The last of all is a NaN's.
template <class Real>
__device__ KeyOf<Real> key_of(Real value) {
  using Key = KeyOf<Real>;
  constexpr Key kSign = Key(1) << (8 * sizeof(Key) - 1);
  const Key bits = cast_bits<Key>(value);
  return bits & kSign ? ~bits : bits | kSign;
}

template <class Real>
__device__ Real value_of(KeyOf<Real> key) {
  using Key = KeyOf<Real>;
  constexpr Key kSign = Key(1) << (8 * sizeof(Key) - 1);
  return cast_bits<Real>(key & kSign ? key & ~kSign : ~key);
}

// Both start from 0: of the minimum the key's complement is kept, so that a NaN, all ones, stays.
template <class Real>
__device__ void widen_range(Range<Real> range, KeyOf<Real>* least, KeyOf<Real>* most) {
  __builtin_assume(__isGlobal(least) && __isGlobal(most));
  atomicMax(least, range.min == range.min ? ~key_of(range.min) : ~KeyOf<Real>(0));
  atomicMax(most, key_of(range.max));
}

template <class Real>
__device__ Range<Real> range_of(KeyOf<Real> least, KeyOf<Real> most) {
  return {value_of<Real>(~least), value_of<Real>(most)};
}

template <class Real>
__device__ Range<Real> merge(Range<Real> a, Range<Real> b) {
  return {nan_min(a.min, b.min), plain_max(a.max, b.max)};
}

template <class Real>
__device__ void include(Range<Real>* range, Real value) {
  range->min = nan_min(range->min, value);
  range->max = plain_max(range->max, value);
}

// As add_lanes() does.
template <class Real>
__device__ Range<Real> merge_lanes(Range<Real> range, int lanes) {
  for (int step = lanes / 2; step > 0; step /= 2) {
    const Range<Real> other = {__shfl_xor_sync(~0u, range.min, step), __shfl_xor_sync(~0u, range.max, step)};
    range = merge(range, other);
  }
  return range;
}

}  // namespace fullgrad
