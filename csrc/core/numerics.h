// The arithmetic that CPU and CUDA share, each formula written once.

#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "saliency.h"

#ifdef __CUDACC__
#include <cuda_fp16.h>
#define FULLGRAD_INLINE __host__ __device__ __forceinline__
#else
#define FULLGRAD_INLINE inline
#endif

namespace fullgrad {

struct Float16 {
  uint16_t bits;
};

struct BFloat16 {
  uint16_t bits;
};

template <class To, class From>
FULLGRAD_INLINE To cast_bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof(to));
  return to;
}

// The value of 16 bits held in 32. Float16 moves the exponent's bias from 15 to 127; a subnormal gets the smallest
// normal exponent and loses its implicit 1 by a subtraction, so that it survives on threads that flush float32
// subnormals to zero, as TensorFlow's do.
template <class Float, class Word>
FULLGRAD_INLINE Float widen(Float16, Word bits) {
  const Word magnitude = (bits & 0x7fffu) << 13;
  const Word exponent = magnitude & 0x0f800000u;
  const Word normal = magnitude + (112u << 23);
  const Word infinite = magnitude + (224u << 23);
  const Float subnormal = cast_bits<Float>(magnitude + (113u << 23)) - cast_bits<float>(113u << 23);
  const Word finite = exponent == 0u ? cast_bits<Word>(subnormal) : normal;
  return cast_bits<Float>((exponent == 0x0f800000u ? infinite : finite) | ((bits & 0x8000u) << 16));
}

template <class Float, class Word>
FULLGRAD_INLINE Float widen(BFloat16, Word bits) {
  return cast_bits<Float>(bits << 16);
}

template <class Real>
FULLGRAD_INLINE Real load(Float16 value) {
#ifdef __CUDA_ARCH__  // One instruction there.
  return static_cast<Real>(__half2float(__ushort_as_half(value.bits)));
#endif
  return static_cast<Real>(widen<float>(value, static_cast<uint32_t>(value.bits)));
}

template <class Real>
FULLGRAD_INLINE Real load(BFloat16 value) {
  return static_cast<Real>(widen<float>(value, static_cast<uint32_t>(value.bits)));
}

template <class Real>
FULLGRAD_INLINE Real load(float value) {
  return static_cast<Real>(value);
}

template <class Real>
FULLGRAD_INLINE Real load(double value) {
  return static_cast<Real>(value);
}

// The other way, to the nearest, to even where two are as near.
template <class Element, class Real>
FULLGRAD_INLINE Element narrow(Real value) {
  if constexpr (std::is_same_v<Element, BFloat16>) {
    const uint32_t bits = cast_bits<uint32_t>(static_cast<float>(value));
    const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    return {static_cast<uint16_t>(value == value ? rounded : 0x7fc0u)};
  } else if constexpr (std::is_same_v<Element, Float16>) {
    const uint32_t bits = cast_bits<uint32_t>(static_cast<float>(value));
    const uint32_t magnitude = bits & 0x7fffffffu;
    const uint32_t normal = (magnitude - (112u << 23) + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
    // A subnormal's step is that of float32 just above 0.5.
    const uint32_t subnormal = cast_bits<uint32_t>(cast_bits<float>(magnitude) + 0.5f) - cast_bits<uint32_t>(0.5f);
    const uint32_t finite = magnitude < 113u << 23 ? subnormal : normal;
    const uint32_t infinite = magnitude >= 0x477ff000u ? 0x7c00u : finite;  // From half a step above the largest.
    return {static_cast<uint16_t>((value == value ? infinite : 0x7e00u) | (bits >> 16 & 0x8000u))};
  } else {
    return static_cast<Element>(value);
  }
}

// What elements are computed in.
template <class Element>
using ArithmeticOf = std::conditional_t<std::is_same_v<Element, double>, double, float>;

// Calls function(Element()) with the element type.
template <class Function>
FULLGRAD_INLINE void with_any_type(DataType type, Function function) {
  if (type == DataType::kFloat16) return function(Float16());
  if (type == DataType::kBFloat16) return function(BFloat16());
  if (type == DataType::kFloat32) return function(float());
  return function(double());
}

// The same for a gradient, which is of fewer types where maps are of type Real: make_problem() refuses others.
template <class Real, class Function>
FULLGRAD_INLINE void with_type(DataType type, Function function) {
  if (type == DataType::kFloat32) return function(float());
  if constexpr (std::is_same_v<Real, double>) {
    if (type == DataType::kFloat64) return function(double());
  } else {
    if (type == DataType::kFloat16) return function(Float16());
    if (type == DataType::kBFloat16) return function(BFloat16());
  }
}

// Bits of the width of a Real.
template <class Real>
using KeyOf = std::conditional_t<sizeof(Real) == 8, unsigned long long, unsigned int>;

// Minimum and maximum of rectified terms. The minimum keeps a NaN once it has met one, which is enough: both ends of
// the range are used together.
template <class Real>
struct Range {
  Real min = std::numeric_limits<Real>::infinity();
  Real max = -std::numeric_limits<Real>::infinity();
};

template <class T>
FULLGRAD_INLINE T nan_min(T least, T t) {
#ifdef __CUDA_ARCH__
  if constexpr (std::is_same_v<T, float>) {
    float smallest;
    asm("min.NaN.f32 %0, %1, %2;" : "=f"(smallest) : "f"(least), "f"(t));
    return smallest;
  }
#endif
  const T smaller = t < least ? t : least;
  return t == t ? smaller : t;
}

template <class T>
FULLGRAD_INLINE T nan_max(T most, T t) {
#ifdef __CUDA_ARCH__
  if constexpr (std::is_same_v<T, float>) {
    float largest;
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(largest) : "f"(most), "f"(t));
    return largest;
  }
#endif
  const T larger = t > most ? t : most;
  return t == t ? larger : t;
}

template <class T>
FULLGRAD_INLINE T plain_max(T most, T t) {
#ifdef __CUDA_ARCH__
  if constexpr (std::is_same_v<T, float>) return fmaxf(most, t);
#endif
  return t > most ? t : most;
}

// The factor f of rescale(t) = (t - range.min) * f. A range that is zero, or too small to have an inverse, gives 0.
template <class Real>
FULLGRAD_INLINE Real inverse_range(Range<Real> range, Rescale rescale) {
  const Real width = range.max - range.min;
  if (rescale == Rescale::kPerSample) return Real(1) / (width + Real(1e-6));
  return width < std::numeric_limits<Real>::min() ? Real(0) : Real(1) / width;
}

// What a sum over channels is multiplied by.
template <class Real>
FULLGRAD_INLINE Real channels_factor(Channels reduction, int64_t channels) {
  return reduction == Channels::kMean ? Real(1) / static_cast<Real>(channels) : Real(1);
}

// Where one range rescales all channels, sums count from one of the term's values, so that they stay as small as the
// range is and can be rescaled once that is known; from 0 where that value would turn every sum into NaN.
template <class Real>
FULLGRAD_INLINE Real origin_of_sums(Real first) {
  return first - first == 0 ? first : Real(0);
}

// Where one target position lies along one axis of a source: between `lower` and `upper`, `fraction` of the way.
// `fraction` is 0 where it lies on `lower`, and then `upper` must not be read into the result.
struct Sample {
  int64_t lower;
  int64_t upper;
  double fraction;
};

// Positions are ratios of integers, so that `lower` is exact.
FULLGRAD_INLINE Sample sample_axis(int64_t position, int64_t source, int64_t target, Resize resize) {
  int64_t numerator, denominator;
  if (resize == Resize::kHalfPixel) {
    numerator = (2 * position + 1) * source - target;
    denominator = 2 * target;
  } else {
    numerator = position * (source - 1);
    denominator = target > 1 ? target - 1 : 1;
  }
  if (numerator < 0) numerator = 0;
  const int64_t lower = numerator / denominator;
  if (lower >= source - 1) return {source - 1, source - 1, 0.0};
  return {lower, lower + 1, static_cast<double>(numerator % denominator) / static_cast<double>(denominator)};
}

template <class Real>
FULLGRAD_INLINE Real interpolate(Real lower, Real upper, Real fraction) {
  return fraction == 0 ? lower : lower + (upper - lower) * fraction;
}

}  // namespace fullgrad
