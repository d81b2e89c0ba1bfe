// A term as the kernel reads it: 16 bytes at a time where they are aligned, else one element. A thread has kRows such
// vectors on their way before it uses the first; the values are computed in registers and never stored.

#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda_plan.h"
#include "numerics.h"
#include "rectify.h"
#include "saliency.h"

namespace fullgrad {

template <class T, int kWidth>
struct alignas(sizeof(T) * kWidth < kVectorBytes ? sizeof(T) * kWidth : kVectorBytes) Vector {
  T values[kWidth];
};

// Tells the compiler that a pointer that it has loaded is one into the device's memory.
template <class T>
__device__ T* in_global(T* pointer) {
  __builtin_assume(__isGlobal(pointer));
  return pointer;
}

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
  Rectification<Real> rectification;

  __device__ TermImage(const CudaTerm<Real>& term, const Rectification<Real>& rectification, int64_t image)
      : gradient(in_global(static_cast<const Element*>(term.gradient)) + image * term.channels * term.positions),
        weight(in_global(static_cast<const Element*>(term.weight)) + image * term.channels * term.positions),
        weights(in_global(term.weights)),
        rectification(rectification) {}

  __device__ Real value(Real weight, Element gradient) const {
    return rectify(rectification, weight * load<Real>(gradient));
  }

  __device__ Real first() const { return value(kWeightPerChannel ? weights[0] : load<Real>(weight[0]), gradient[0]); }

  // Calls use(row, i, value) for kRows vectors of elements; weight_of(row, i) is the weight of their channel.
  template <bool kLast, class WeightOf, class Use>
  __device__ void read_rows(const int64_t (&elements)[kRows<Real>], WeightOf weight_of, Use use) const {
    Vector<Element, kWidth> gradients[kRows<Real>], own[kRows<Real>];
#pragma unroll
    for (int row = 0; row < kRows<Real>; ++row) {
      const int64_t at = elements[row];
      gradients[row] = kLast ? read_last<kWidth>(gradient + at) : read<kWidth>(gradient + at);
      if constexpr (!kWeightPerChannel) own[row] = kLast ? read_last<kWidth>(weight + at) : read<kWidth>(weight + at);
    }
#pragma unroll
    for (int row = 0; row < kRows<Real>; ++row) {
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
__device__ void with_image(const CudaTerm<Real>& term, const Rectification<Real>& rectification, int64_t image,
                           Function function) {
  with_type<Real>(term.gradient_type, [&](auto element) {
    using Element = decltype(element);
    constexpr int kWidth = kVectorBytes / sizeof(Element);
    const bool per_channel = term.weights != nullptr;
    if (per_channel && term.vectors) {
      function(TermImage<Real, Element, true, kWidth>(term, rectification, image));
    } else if (per_channel) {
      function(TermImage<Real, Element, true, 1>(term, rectification, image));
    } else if (term.vectors) {
      function(TermImage<Real, Element, false, kWidth>(term, rectification, image));
    } else {
      function(TermImage<Real, Element, false, 1>(term, rectification, image));
    }
  });
}

// What rescales channels: (t - least) * scale. Bits of numbers, written over their keys once the range is known.
template <class Real>
struct ChannelScales {
  const KeyOf<Real>*least, *scale;  // (channels,)
};

template <class Real>
__device__ ChannelScales<Real> scales_of(const CudaTerm<Real>& term, int64_t image) {
  return {in_global(term.least) + image * term.channels, in_global(term.most) + image * term.channels};
}

}  // namespace fullgrad
