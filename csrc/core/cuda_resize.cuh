// Resize, and what it needs: the sums of each group's terms, and where target positions lie. To add terms a thread owns
// every so many of one image's elements, group after group: terms are added in their order. To place, a thread owns one
// target position of one axis. To resize, a thread owns one column of a few rows of one image's map, in registers:
// groups are added in their order.

#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda_lanes.cuh"
#include "cuda_plan.h"
#include "cuda_ranges.cuh"
#include "numerics.h"
#include "saliency.h"

namespace fullgrad {

// Elements [begin, end) of one image, counted over all groups.
template <Rescale rescale, class Real>
__device__ void add_terms(const CudaPlan<Real>& plan, int64_t image, int64_t begin, int64_t end) {
  for (int64_t element = begin + thread_index(); element < end; element += kThreads) {
    int g = 0;
    int64_t position = element;
    while (g < plan.groups_count && position >= plan.groups[g].positions) position -= plan.groups[g++].positions;
    if (g == plan.groups_count) return;
    const CudaGroup<Real>& group = plan.groups[g];
    const int64_t i = image * group.positions + position;
    Real total = 0;
    for (int64_t t = group.first; t < group.last; ++t) {
      const CudaTerm<Real>& term = plan.terms[t];
      Real sum = term.sums[i];
      if constexpr (rescale == Rescale::kPerSample) {
        const Range<Real> range = range_of<Real>(term.least[image], term.most[image]);
        const Real least = static_cast<Real>(term.channels) * (range.min - term.origins[image]);
        sum = (sum - least) *
              (inverse_range(range, rescale) * channels_factor<Real>(plan.options.channels, term.channels));
      }
      total = t == group.first ? sum : total + sum;
    }
    group.sums[i] = total;
  }
}

// Entries [begin, end) of where target positions lie in a group, axis after axis.
template <class Real>
__device__ void place_samples(const CudaPlan<Real>& plan, const CudaGroup<Real>& group, int64_t begin, int64_t end) {
  for (int64_t i = begin + thread_index(); i < end; i += kThreads) {
    int axis = 0;
    int64_t position = i;
    while (position >= plan.target[axis]) position -= plan.target[axis++];
    const Sample sample = sample_axis(position, group.extent[axis], plan.target[axis], plan.options.resize);
    group.samples[i] = {static_cast<int>(sample.lower), static_cast<Real>(sample.fraction)};
  }
}

// Where one column lies in a source: at two neighbours, or twice at one of them.
template <class Real>
struct Column {
  int left, right;
  Real fraction;

  __device__ Real of(const Real* row) const { return interpolate(row[left], row[right], fraction); }
};

// Adds one group's values in one column of up to kRowsPerThread rows from (z, y) on; the last row stands for what comes
// after it, so that all rows are read at once.
template <bool kDeep, class Real>
__device__ void add_group(const CudaPlan<Real>& plan, const CudaGroup<Real>& group, int64_t image, int64_t z, int64_t y,
                          int64_t x, Real (&out)[kRowsPerThread]) {
  const int64_t height = plan.target[1], plane = group.extent[1] * group.extent[2];
  const AxisSample<Real>*depths = group.samples, *heights = depths + plan.target[0], *widths = heights + height;
  const AxisSample<Real> across = widths[x];
  const Column<Real> column = {across.lower, across.lower + (across.fraction != 0), across.fraction};
  const Real* source = in_global(group.sums) + image * group.positions;
#pragma unroll
  for (int row = 0; row < kRowsPerThread; ++row) {
    const AxisSample<Real> down = heights[y];
    const auto value = [&](const Real* near) {
      const Real* top = near + down.lower * group.extent[2];
      const Real* bottom = top + (down.fraction != 0) * group.extent[2];
      return interpolate(column.of(top), column.of(bottom), down.fraction);
    };
    if constexpr (kDeep) {
      const AxisSample<Real> deep = depths[z];
      const Real* near = source + deep.lower * plane;
      out[row] += interpolate(value(near), value(near + (deep.fraction != 0) * plane), deep.fraction);
    } else {
      out[row] += value(source);
    }
    const bool ends = y + 1 == height;
    if (ends && z + 1 == plan.target[0]) continue;
    y = ends ? 0 : y + 1;
    z += ends;
  }
}

// The strip `i` of one image's map: one column of up to kRowsPerThread rows.
template <class Real>
__device__ void resize_groups(const CudaPlan<Real>& plan, int64_t image, int64_t i, Real* maps) {
  const int64_t height = plan.target[1], width = plan.target[2], rows = plan.target[0] * height;
  const int64_t first = i / width * kRowsPerThread, x = i % width;
  if (first >= rows) return;
  Real out[kRowsPerThread] = {};
  for (int g = 0; g < plan.groups_count; ++g) {
    const CudaGroup<Real>& group = plan.groups[g];
    if (group.extent[0] > 1) {
      add_group<true>(plan, group, image, first / height, first % height, x, out);
    } else {
      add_group<false>(plan, group, image, first / height, first % height, x, out);
    }
  }
#pragma unroll
  for (int row = 0; row < kRowsPerThread; ++row) {
    if (first + row < rows) maps[(image * rows + first + row) * width + x] = out[row];
  }
}

}  // namespace fullgrad
