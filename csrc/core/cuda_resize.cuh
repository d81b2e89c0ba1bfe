// Resize, and what it needs: the sums of each group's terms, and where target positions lie. To add terms a block owns
// elements of one image of a group, and a thread every so many of them: terms are added in their order. To place, a
// thread owns one target position of one axis. To resize, a block owns a few rows of one image's map, at as many
// columns as it has threads, and a thread one column of all those rows, in registers: groups are added in their order.

#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda_lanes.cuh"
#include "cuda_plan.h"
#include "cuda_ranges.cuh"
#include "numerics.h"
#include "saliency.h"

namespace fullgrad {

// Elements [begin, end) of one image of a group.
template <Rescale rescale, class Real>
__device__ void add_terms(const CudaPlan<Real>& plan, const CudaGroup<Real>& group, int64_t image, int64_t begin,
                          int64_t end) {
  const int64_t offset = image * group.positions;
  for (int64_t i = offset + begin + thread_index(); i < offset + end; i += kThreads) {
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
    group.samples[i] = {sample.lower, static_cast<Real>(sample.fraction)};
  }
}

template <class Real>
__device__ Real sample_row(const Real* row, AxisSample<Real> column) {
  return interpolate(row[column.lower], row[column.lower + (column.fraction != 0)], column.fraction);
}

// Rows [begin, end) of one image's map, at most kRowsPerUnit, at columns from `column` on, one for each thread.
template <class Real>
__device__ void resize_groups(const CudaPlan<Real>& plan, int64_t image, int64_t begin, int64_t end, int64_t column,
                              Real* maps) {
  const int64_t height = plan.target[1], width = plan.target[2];
  const int64_t x = column + thread_index();
  if (x >= width) return;
  const int64_t first_depth = begin / height, first_height = begin % height;
  Real out[kRowsPerUnit] = {};
  for (int g = 0; g < plan.groups_count; ++g) {
    const CudaGroup<Real>& group = plan.groups[g];
    const AxisSample<Real>*depths = group.samples, *heights = depths + plan.target[0], *widths = heights + height;
    const AxisSample<Real> across = widths[x];
    const Real* source = group.sums + image * group.positions;
    int64_t z = first_depth, y = first_height;
#pragma unroll
    for (int row = 0; row < kRowsPerUnit; ++row) {
      if (begin + row >= end) break;
      const AxisSample<Real> deep = depths[z], down = heights[y];
      const auto plane = [&](int64_t depth) {
        const Real* top = source + (depth * group.extent[1] + down.lower) * group.extent[2];
        const Real* bottom = top + (down.fraction != 0) * group.extent[2];
        return interpolate(sample_row(top, across), sample_row(bottom, across), down.fraction);
      };
      const Real near = plane(deep.lower);
      out[row] += deep.fraction == 0 ? near : interpolate(near, plane(deep.lower + 1), deep.fraction);
      if (++y == height) {
        y = 0;
        ++z;
      }
    }
  }
#pragma unroll
  for (int row = 0; row < kRowsPerUnit; ++row) {
    if (begin + row < end) maps[(image * plan.target[0] * height + begin + row) * width + x] = out[row];
  }
}

}  // namespace fullgrad
