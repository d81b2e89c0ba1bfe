// Measure: the range of each channel at positions [begin, end) of one image, which a block owns. Where channels come
// last, a thread owns one vector of channels at every so many positions; rows of threads are folded in shared memory.
// Where they come first, the block owns channels [first, last) of those positions too, a warp owns one channel at a
// time, and a thread every so many vectors of positions. Each element is read once, and stays in the cache for the
// reduction. No order is kept, since none changes a range.

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

template <class Real, class Image>
__device__ void measure_channels_last(const CudaTerm<Real>& term, const Image& terms, int64_t image, int64_t begin,
                                      int64_t end, Real* shared) {
  constexpr int kWidth = Image::kWidth;
  const int64_t vectors = term.channels / kWidth;
  const int lanes = lanes_for(vectors, kThreads);
  const int lane = thread_index() % lanes, rows = kThreads / lanes;
  KeyOf<Real>* least = term.least + image * term.channels;
  KeyOf<Real>* most = term.most + image * term.channels;
  for (int64_t block = 0; block < vectors; block += lanes) {
    const int64_t channel = (block + lane < vectors ? block + lane : vectors - 1) * kWidth;
    Real min[kWidth], max[kWidth];
    Vector<Real, kWidth> weights = {};
    if constexpr (Image::kWeightPerChannel) weights = read<kWidth>(term.weights + channel);
    const auto weight_of = [&](int, int i) { return weights.values[i]; };
    for (int i = 0; i < kWidth; ++i) {
      min[i] = Range<Real>().min;
      max[i] = Range<Real>().max;
    }
    for (int64_t position = begin + thread_index() / lanes; position < end; position += rows * kRows<Real>) {
      int64_t elements[kRows<Real>];
      for (int row = 0; row < kRows<Real>; ++row) {  // What is read twice changes no range.
        const int64_t at = position + row * rows;
        elements[row] = (at < end ? at : end - 1) * term.channels + channel;
      }
      terms.template read_rows<false>(elements, weight_of, [&](int, int i, Real t) {
        min[i] = nan_min(min[i], t);
        max[i] = plain_max(max[i], t);
      });
    }
    if (rows > 1) {
      fold_rows(min, lanes, shared, [](Real a, Real b) { return nan_min(a, b); });
      fold_rows(max, lanes, shared, [](Real a, Real b) { return plain_max(a, b); });
    }
    if (thread_index() < lanes && block + lane < vectors) {
      for (int i = 0; i < kWidth; ++i) {
        widen_range(Range<Real>{min[i], max[i]}, least + channel + i, most + channel + i);
      }
    }
  }
}

// Channels [first, last), each by one warp.
template <class Real, class Image>
__device__ void measure_channels_first(const CudaTerm<Real>& term, const Image& terms, int64_t image, int64_t first,
                                       int64_t last, int64_t begin, int64_t end) {
  constexpr int kWidth = Image::kWidth;
  const int lane = thread_index() % kWarp;
  for (int64_t channel = first + thread_index() / kWarp; channel < last; channel += kThreads / kWarp) {
    Range<Real> range;
    const Real weight = Image::kWeightPerChannel ? term.weights[channel] : Real(0);
    for (int64_t position = begin; position < end; position += kRows<Real> * kWarp * kWidth) {
      int64_t elements[kRows<Real>];
      for (int row = 0; row < kRows<Real>; ++row) {
        const int64_t at = position + (row * kWarp + lane) * kWidth;
        elements[row] = channel * term.positions + (at < end ? at : end - kWidth);
      }
      terms.template read_rows<false>(
          elements, [&](int, int) { return weight; }, [&](int, int, Real t) { include(&range, t); });
    }
    range = merge_lanes(range, kWarp);
    if (lane == 0) {
      const int64_t at = image * term.channels + channel;
      widen_range(range, term.least + at, term.most + at);
    }
  }
}

// Turns the ranges of a term's images, in place, into what rescales them.
template <class Real>
__device__ void prepare_rescale(const CudaTerm<Real>& term, int64_t first, int64_t images) {
  const int64_t end = (first + images) * term.channels;
  for (int64_t i = first * term.channels + thread_index(); i < end; i += kThreads) {
    const Range<Real> range = range_of<Real>(term.least[i], term.most[i]);
    term.least[i] = cast_bits<KeyOf<Real>>(range.min);
    term.most[i] = cast_bits<KeyOf<Real>>(inverse_range(range, Rescale::kPerChannel));
  }
}

}  // namespace fullgrad
