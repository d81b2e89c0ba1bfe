// What the CUDA kernel is told: terms, groups, and the steps of its work in their order. Written on the host
// (cuda_planner.h), read on the device.
//
//   convert  weights per channel to the type of the arithmetic        place  target positions along each axis
//   measure  minimum and maximum of each rectified term per image and channel     (rescaled per channel only)
//   reduce   each term over its channels                             add    the terms of one extent
//   resize   the groups to the target size and add them up
//
// A step is many units, each for one block of threads. Blocks take the units in their order and wait until the units
// that theirs depends on are done. Those come before it in the order. So the first unit that is not done never waits
// for long: whoever has taken it works on it, or on one before it, and those are done.

#pragma once

#include <cstdint>

#include "numerics.h"
#include "plan.h"
#include "rectify.h"

namespace fullgrad {

inline constexpr int kThreads = 256;
inline constexpr int64_t kWarp = 32;
inline constexpr int64_t kVectorBytes = 16;

// Vectors that each thread has on their way before it uses the first: as many as its registers hold.
template <class Real>
inline constexpr int kRows = sizeof(Real) == 8 ? 2 : 4;

inline constexpr int64_t kRangePositions = 32;  // At least so many share a channel's two atomics.
inline constexpr int64_t kElementsPerUnit = 4 * kThreads;
inline constexpr int kRowsPerThread = 8;  // Of a map.

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
  int lower;
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

inline constexpr int kNoCounter = -1;

struct Step {
  StepKind kind;
  int index;                     // Of the term or the group.
  int image;                     // The first of its images.
  unsigned int units_per_image;  // Where the step goes over images.
  unsigned int first;            // Of its images' units, where other steps have had those before.
  bool in_turns;                 // Every other unit is of the step before, which starts with the same one.
  int tile;                      // Positions or elements of one unit.
  int tile_channels;             // Channels of one unit, where channels come first and are measured.
  int waits_for;                 // A counter, and what it must have come to.
  unsigned int until;
  int signals;             // The counter that each finished unit adds 1 to.
  unsigned int signalled;  // What the counter then comes to.
};

template <class Real>
struct CudaPlan {
  const CudaTerm<Real>* terms;
  const CudaGroup<Real>* groups;
  const Step* steps;
  const unsigned int* starts;  // The first unit of each step.
  unsigned int* next;          // The unit to be taken next.
  unsigned int* counters;
  int groups_count;
  int steps_count;
  unsigned int units;
  Extent target;
  Options options;
  Rectification<Real> rectification;
};

// So many threads side by side read `vectors` of one row: a power of two.
constexpr int lanes_for(int64_t vectors, int64_t most) {
  int lanes = 1;
  while (lanes < vectors && lanes < most) lanes *= 2;
  return lanes;
}

// Vectors that neighbouring threads read of one channel, where channels come first: a cache line.
constexpr int segment(bool vectors) { return vectors ? 8 : 32; }

}  // namespace fullgrad
