// Reduce: the sum over channels at positions [begin, end) of one image, which a block owns. Where channels come last, a
// position is owned by a row of up to 32 threads, each of which adds up every so many vectors of its channels, in their
// order; then the row is added up by halves. Where they come first, a thread owns a vector of positions and adds up
// every so many channels, in their order; then the threads of one position are added up by halves. Each element is read
// once, for the last time. Where one range is for all channels, it is measured in the same reading.

#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda_lanes.cuh"
#include "cuda_plan.h"
#include "cuda_ranges.cuh"
#include "cuda_terms.cuh"
#include "numerics.h"
#include "saliency.h"

namespace fullgrad {

template <Rescale rescale, class Real>
__device__ Real contribution(Real t, Real least, Real scale, Real origin, Range<Real>* range) {
  if constexpr (rescale == Rescale::kPerChannel) return (t - least) * scale;
  if constexpr (rescale == Rescale::kNone) return t;
  include(range, t);
  return t - origin;
}

// After a unit that has found a part of an image's range.
template <class Real>
__device__ void widen_image(const CudaTerm<Real>& term, int64_t image, Real origin, Range<Real> range, Real* shared) {
  Real min[1] = {range.min}, max[1] = {range.max};
  fold_rows(min, 1, shared, [](Real a, Real b) { return nan_min(a, b); });
  fold_rows(max, 1, shared, [](Real a, Real b) { return plain_max(a, b); });
  if (thread_index() == 0) {
    widen_range(Range<Real>{min[0], max[0]}, term.least + image, term.most + image);
    term.origins[image] = origin;  // Every unit of the image writes the same.
  }
}

// A row of up to 32 lanes takes kRows positions at a time.
template <Rescale rescale, class Real, class Image>
__device__ void reduce_channels_last(const CudaTerm<Real>& term, const Image& terms, int64_t image, int64_t begin,
                                     int64_t end, Real factor, Real* shared) {
  constexpr int kWidth = Image::kWidth;
  const int64_t vectors = term.channels / kWidth;
  const int lanes = lanes_for(vectors, kWarp);
  const int lane = thread_index() % lanes, rows = kThreads / lanes;
  const Real origin = rescale == Rescale::kPerSample ? origin_of_sums(terms.first()) : Real(0);
  const ChannelScales<Real> scales = scales_of(term, image);
  Real* sums = in_global(term.sums) + image * term.positions;
  Range<Real> range;
  for (int64_t start = begin; start < end; start += rows * kRows<Real>) {
    const int64_t position = start + thread_index() / lanes;
    int64_t origins[kRows<Real>];
    Real sum[kRows<Real>] = {};
    for (int row = 0; row < kRows<Real>; ++row) {
      const int64_t at = position + row * rows;
      origins[row] = (at < end ? at : end - 1) * term.channels;
    }
    for (int64_t v = lane; v < vectors; v += lanes) {
      const int64_t channel = v * kWidth;
      Vector<Real, kWidth> weights = {};
      Vector<KeyOf<Real>, kWidth> least = {}, scale = {};
      if constexpr (Image::kWeightPerChannel) weights = read<kWidth>(term.weights + channel);
      if constexpr (rescale == Rescale::kPerChannel) {
        least = read<kWidth>(scales.least + channel);
        scale = read<kWidth>(scales.scale + channel);
      }
      int64_t elements[kRows<Real>];
      for (int row = 0; row < kRows<Real>; ++row) elements[row] = origins[row] + channel;
      const auto weight_of = [&](int, int i) { return weights.values[i]; };
      terms.template read_rows<true>(elements, weight_of, [&](int row, int i, Real t) {
        sum[row] += contribution<rescale>(t, cast_bits<Real>(least.values[i]), cast_bits<Real>(scale.values[i]), origin,
                                          &range);
      });
    }
    for (int row = 0; row < kRows<Real>; ++row) {
      const int64_t at = position + row * rows;
      const Real total = add_lanes(sum[row], lanes);
      if (lane == 0 && at < end) sums[at] = factor * total;
    }
  }
  if (rescale == Rescale::kPerSample) widen_image(term, image, origin, range, shared);
}

// Rows of lanes take every so many channels of one cache line of positions, and are added up in the end.
template <Rescale rescale, class Real, class Image>
__device__ void reduce_channels_first(const CudaTerm<Real>& term, const Image& terms, int64_t image, int64_t begin,
                                      int64_t end, Real factor, Real* shared) {
  constexpr int kWidth = Image::kWidth;
  constexpr int kLanes = segment(kWidth > 1), kChannels = kThreads / kLanes;
  const int lane = thread_index() % kLanes;
  const Real origin = rescale == Rescale::kPerSample ? origin_of_sums(terms.first()) : Real(0);
  const ChannelScales<Real> scales = scales_of(term, image);
  Real* sums = in_global(term.sums) + image * term.positions;
  Range<Real> range;
  for (int64_t start = begin; start < end; start += kLanes * kWidth) {
    const int64_t at = start + lane * kWidth;
    const int64_t position = at < end ? at : end - kWidth;
    Real sum[kWidth] = {};
    for (int64_t first = thread_index() / kLanes; first < term.channels; first += kRows<Real> * kChannels) {
      int64_t elements[kRows<Real>];
      Real weight[kRows<Real>] = {}, least[kRows<Real>] = {}, scale[kRows<Real>] = {};
      for (int row = 0; row < kRows<Real>; ++row) {
        const int64_t channel = min(first + row * kChannels, term.channels - 1);
        elements[row] = channel * term.positions + position;
        if constexpr (Image::kWeightPerChannel) weight[row] = term.weights[channel];
        if constexpr (rescale == Rescale::kPerChannel) {
          least[row] = cast_bits<Real>(scales.least[channel]);
          scale[row] = cast_bits<Real>(scales.scale[channel]);
        }
      }
      const auto weight_of = [&](int row, int) { return weight[row]; };
      terms.template read_rows<true>(elements, weight_of, [&](int row, int i, Real t) {
        const Real more = contribution<rescale>(t, least[row], scale[row], origin, &range);
        sum[i] += first + row * kChannels < term.channels ? more : Real(0);
      });
    }
    fold_rows(sum, kLanes, shared, [](Real a, Real b) { return a + b; });
    if (thread_index() < kLanes && at < end) {
      for (int i = 0; i < kWidth; ++i) sums[at + i] = factor * sum[i];
    }
  }
  if (rescale == Rescale::kPerSample) widen_image(term, image, origin, range, shared);
}

}  // namespace fullgrad
