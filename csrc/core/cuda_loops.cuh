// What one block of threads does to one unit of work.

#pragma once

#include <cuda_runtime.h>

#include "cuda_plan.h"

namespace fullgrad {

__device__ inline int thread_index() { return static_cast<int>(threadIdx.x); }

// --- Ranges: minimum and maximum through integer atomics, which give the same bits in any order ---------------------

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

// Of each `lanes` threads side by side, which all call this; any of them has the result.
template <class Real>
__device__ Range<Real> merge_lanes(Range<Real> range, int lanes) {
  for (int step = lanes / 2; step > 0; step /= 2) {
    const Range<Real> other = {__shfl_xor_sync(~0u, range.min, step), __shfl_xor_sync(~0u, range.max, step)};
    range = merge(range, other);
  }
  return range;
}

template <class Real>
__device__ Real add_lanes(Real sum, int lanes) {
  for (int step = lanes / 2; step > 0; step /= 2) sum += __shfl_xor_sync(~0u, sum, step);
  return sum;
}

// Folds value[i] of all rows, each of `lanes` threads side by side, into one that every row gets. `shared` is of
// kThreads * kWidth. All threads of the block call it.
template <int kWidth, class T, class Function>
__device__ void fold_rows(T (&value)[kWidth], int lanes, T* shared, Function function) {
  const int thread = thread_index();
  for (int i = 0; i < kWidth; ++i) shared[i * kThreads + thread] = value[i];
  for (int threads = kThreads / 2; threads >= lanes; threads /= 2) {
    __syncthreads();
    if (thread < threads) {
      for (int i = 0; i < kWidth; ++i) {
        T& mine = shared[i * kThreads + thread];
        mine = function(mine, shared[i * kThreads + thread + threads]);
      }
    }
  }
  __syncthreads();
  for (int i = 0; i < kWidth; ++i) value[i] = shared[i * kThreads + thread % lanes];
  __syncthreads();
}

// --- Terms ----------------------------------------------------------------------------------------------------------

template <class T, int kWidth>
struct alignas(sizeof(T) * kWidth < kVectorBytes ? sizeof(T) * kWidth : kVectorBytes) Vector {
  T values[kWidth];
};

template <int kWidth, class T>
__device__ Vector<T, kWidth> read(const T* from) {
  return *reinterpret_cast<const Vector<T, kWidth>*>(from);
}

// What is not read again: it leaves the cache first.
template <int kWidth, class T>
__device__ Vector<T, kWidth> read_last(const T* from) {
  using Whole = Vector<T, kWidth>;
  if constexpr (sizeof(Whole) == 16) {
    return cast_bits<Whole>(__ldcs(reinterpret_cast<const uint4*>(from)));
  } else if constexpr (sizeof(Whole) == 8) {
    return cast_bits<Whole>(__ldcs(reinterpret_cast<const unsigned long long*>(from)));
  } else if constexpr (sizeof(Whole) == 4) {
    return cast_bits<Whole>(__ldcs(reinterpret_cast<const unsigned int*>(from)));
  } else {
    return cast_bits<Whole>(__ldcs(reinterpret_cast<const unsigned short*>(from)));
  }
}

// One image of a term, read kWidth elements at a time.
template <class Real_, class Element, bool kPerChannel, int kElements>
struct TermImage {
  using Real = Real_;
  static constexpr bool kWeightPerChannel = kPerChannel;
  static constexpr int kWidth = kElements;

  const Element* gradient;
  const Element* weight;  // Where it has the gradient's shape.
  const Real* weights;    // Where it does not.
  Rectifier rectifier;

  __device__ TermImage(const CudaTerm<Real>& term, Rectifier rectifier, int64_t image)
      : gradient(static_cast<const Element*>(term.gradient) + image * term.channels * term.positions),
        weight(static_cast<const Element*>(term.weight) + image * term.channels * term.positions),
        weights(term.weights),
        rectifier(rectifier) {}

  __device__ Real value(Real weight, Element gradient) const {
    return rectify(rectifier, weight * load<Real>(gradient));
  }

  __device__ Real first() const { return value(kWeightPerChannel ? weights[0] : load<Real>(weight[0]), gradient[0]); }

  // Calls use(row, i, value) for kRows vectors of elements; weight_of(row, i) is the weight of their channel.
  template <bool kLast, class WeightOf, class Use>
  __device__ void read_rows(const int64_t (&elements)[kRows], WeightOf weight_of, Use use) const {
    Vector<Element, kWidth> gradients[kRows], own[kRows];
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      const int64_t at = elements[row];
      gradients[row] = kLast ? read_last<kWidth>(gradient + at) : read<kWidth>(gradient + at);
      if constexpr (!kWeightPerChannel) own[row] = kLast ? read_last<kWidth>(weight + at) : read<kWidth>(weight + at);
    }
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
#pragma unroll
      for (int i = 0; i < kWidth; ++i) {
        const Element element = gradients[row].values[i];
        if constexpr (kWeightPerChannel) {
          use(row, i, value(weight_of(row, i), element));
        } else {
          use(row, i, value(load<Real>(own[row].values[i]), element));
        }
      }
    }
  }
};

// Calls function(TermImage) with the compiled form that fits the term.
template <class Real, class Function>
__device__ void with_image(const CudaTerm<Real>& term, Rectifier rectifier, int64_t image, Function function) {
  with_type<Real>(term.gradient_type, [&](auto element) {
    using Element = decltype(element);
    constexpr int kWidth = kVectorBytes / sizeof(Element);
    const bool per_channel = term.weights != nullptr;
    if (per_channel && term.vectors) {
      function(TermImage<Real, Element, true, kWidth>(term, rectifier, image));
    } else if (per_channel) {
      function(TermImage<Real, Element, true, 1>(term, rectifier, image));
    } else if (term.vectors) {
      function(TermImage<Real, Element, false, kWidth>(term, rectifier, image));
    } else {
      function(TermImage<Real, Element, false, 1>(term, rectifier, image));
    }
  });
}

// What rescales channels [c, c + kWidth): (t - least) * scale. Written over their keys once the range is known.
template <class Real>
struct ChannelScales {
  const Real* least;  // (channels,)
  const Real* scale;
};

template <class Real>
__device__ ChannelScales<Real> scales_of(const CudaTerm<Real>& term, int64_t image) {
  return {reinterpret_cast<const Real*>(term.least) + image * term.channels,
          reinterpret_cast<const Real*>(term.most) + image * term.channels};
}

// --- Measure: the range of each channel at positions [begin, end) ---------------------------------------------------

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
    for (int64_t position = begin + thread_index() / lanes; position < end; position += rows * kRows) {
      int64_t elements[kRows];
      for (int row = 0; row < kRows; ++row) {  // What is read twice changes no range.
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
    for (int64_t position = begin; position < end; position += kRows * kWarp * kWidth) {
      int64_t elements[kRows];
      for (int row = 0; row < kRows; ++row) {
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
    reinterpret_cast<Real*>(term.least)[i] = range.min;
    reinterpret_cast<Real*>(term.most)[i] = inverse_range(range, Rescale::kPerChannel);
  }
}

// --- Reduce: the sum over channels at positions [begin, end) --------------------------------------------------------

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
  Real* sums = term.sums + image * term.positions;
  Range<Real> range;
  for (int64_t start = begin; start < end; start += rows * kRows) {
    const int64_t position = start + thread_index() / lanes;
    int64_t origins[kRows];
    Real sum[kRows] = {};
    for (int row = 0; row < kRows; ++row) {
      const int64_t at = position + row * rows;
      origins[row] = (at < end ? at : end - 1) * term.channels;
    }
    for (int64_t v = lane; v < vectors; v += lanes) {
      const int64_t channel = v * kWidth;
      Vector<Real, kWidth> weights = {}, least = {}, scale = {};
      if constexpr (Image::kWeightPerChannel) weights = read<kWidth>(term.weights + channel);
      if constexpr (rescale == Rescale::kPerChannel) {
        least = read<kWidth>(scales.least + channel);
        scale = read<kWidth>(scales.scale + channel);
      }
      int64_t elements[kRows];
      for (int row = 0; row < kRows; ++row) elements[row] = origins[row] + channel;
      const auto weight_of = [&](int, int i) { return weights.values[i]; };
      terms.template read_rows<true>(elements, weight_of, [&](int row, int i, Real t) {
        sum[row] += contribution<rescale>(t, least.values[i], scale.values[i], origin, &range);
      });
    }
    for (int row = 0; row < kRows; ++row) {
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
  Real* sums = term.sums + image * term.positions;
  Range<Real> range;
  for (int64_t start = begin; start < end; start += kLanes * kWidth) {
    const int64_t at = start + lane * kWidth;
    const int64_t position = at < end ? at : end - kWidth;
    Real sum[kWidth] = {};
    for (int64_t first = thread_index() / kLanes; first < term.channels; first += kRows * kChannels) {
      int64_t elements[kRows];
      Real weight[kRows] = {}, least[kRows] = {}, scale[kRows] = {};
      for (int row = 0; row < kRows; ++row) {
        const int64_t channel = min(first + row * kChannels, term.channels - 1);
        elements[row] = channel * term.positions + position;
        if constexpr (Image::kWeightPerChannel) weight[row] = term.weights[channel];
        if constexpr (rescale == Rescale::kPerChannel) {
          least[row] = scales.least[channel];
          scale[row] = scales.scale[channel];
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

// --- Add, place, resize ---------------------------------------------------------------------------------------------

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
