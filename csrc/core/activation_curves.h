// What activations and their derivatives are, each formula written once, for CPU and CUDA.

#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "activation.h"
#include "numerics.h"

namespace fullgrad {

// A value of an activation, and its derivative there.
template <class Real>
struct Curve {
  Real value, slope;
};

// What exp() splits its argument by: x = n ln 2 + r with |r| <= ln 2 / 2.
template <class Real>
struct Exponent;

template <>
struct Exponent<float> {
  using Bits = uint32_t;
  static constexpr int kMantissa = 23;
  static constexpr int kDegree = 7;
  static constexpr float kLeast = -87.33654f, kMost = 88.72283f;
  static constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer.
  static constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
};

template <>
struct Exponent<double> {
  using Bits = uint64_t;
  static constexpr int kMantissa = 52;
  static constexpr int kDegree = 13;
  static constexpr double kLeast = -708.396418532264, kMost = 709.782712893384;
  static constexpr double kRounder = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double kLn2High = 6.93147180369123816490e-1, kLn2Low = 1.90821492927058770002e-10;
};

template <class Real>
constexpr Real inverse_factorial(int k) {
  return k < 2 ? Real(1) : inverse_factorial<Real>(k - 1) / Real(k);
}

// The powers of e^r from the k-th on, divided by r^k.
template <class Real, int k = 0>
FULLGRAD_INLINE Real exponential_series(Real r) {
  constexpr Real kFactor = static_cast<Real>(inverse_factorial<double>(k));
  if constexpr (k == Exponent<Real>::kDegree) {
    return kFactor;
  } else {
    return kFactor + r * exponential_series<Real, k + 1>(r);
  }
}

// e^x, of additions and multiplications alone, so that loops vectorise and all machines give the same bits. 0 where it
// would be subnormal.
template <class Real>
FULLGRAD_INLINE Real exponential(Real x) {
  using E = Exponent<Real>;
  using Bits = typename E::Bits;
  const Real rounded = x * Real(1.4426950408889634) + E::kRounder;  // n, in its low bits.
  const Real n = rounded - E::kRounder;
  const Real series = exponential_series<Real>((x - n * E::kLn2High) - n * E::kLn2Low);
  const Bits exponent = cast_bits<Bits>(rounded) << E::kMantissa;
  const Real product = cast_bits<Real>(static_cast<Bits>(cast_bits<Bits>(series) + exponent));
  const Real finite = x < E::kLeast ? Real(0) : product;
  const Real power = x > E::kMost ? std::numeric_limits<Real>::infinity() : finite;
  return x == x ? power : x;
}

template <class Real>
FULLGRAD_INLINE Real sigmoid(Real x) {
  return Real(1) / (Real(1) + exponential(-x));
}

// x times the sigmoid of an inner function, of which `u` is the value and `du` the derivative.
template <class Real>
FULLGRAD_INLINE Curve<Real> gated(Real x, Real u, Real du) {
  const Real gate = sigmoid(u);
  return {x * gate, gate * (Real(1) + x * du * (Real(1) - gate))};
}

// The share of the standard normal distribution below -|x|, over its density but for the factor of the exponential:
// a polynomial of 1 / (1 + 0.21 |x|), fitted to 1.4e-8 of the value.
FULLGRAD_INLINE float tail_over_exponential(float magnitude) {
  const float k = 1.0f / (1.0f + 0.21f * magnitude);
  float sum = -0.07203255436584734f;
  sum = sum * k + 0.2854463661601999f;
  sum = sum * k - 0.3341748018265038f;
  sum = sum * k + 0.35401613567620016f;
  sum = sum * k - 0.09723311882802563f;
  sum = sum * k + 0.12634950266382516f;
  sum = sum * k + 0.0687915795764236f;
  sum = sum * k + 0.08512917484044749f;
  sum = sum * k + 0.08370771794216109f;
  return sum * k;
}

template <class Real>
FULLGRAD_INLINE Curve<Real> gelu(Real x) {
  const Real scaled = x * Real(0.70710678118654752);
  const Real falling = exponential(-scaled * scaled);
  Real below;
  if constexpr (std::is_same_v<Real, float>) {
    const float tail = falling * tail_over_exponential(x < 0 ? -x : x);
    below = x < 0 ? tail : 1 - tail;
  } else {
    below = Real(0.5) * std::erfc(-scaled);
  }
  return {x * below, below + x * falling * Real(0.39894228040143268)};  // 1 / sqrt(2 pi)
}

template <class Real>
FULLGRAD_INLINE Curve<Real> gelu_tanh(Real x) {
  constexpr Real kScale = Real(1.5957691216057308), kCube = Real(0.044715);  // 2 sqrt(2 / pi)
  const Real square = kCube * x * x;
  return gated(x, kScale * x * (Real(1) + square), kScale * (Real(1) + 3 * square));
}

template <class Real>
FULLGRAD_INLINE Curve<Real> hard_silu(Real x) {
  const Real shifted = x + 3;
  const Real least = shifted < 0 ? Real(0) : shifted;
  const Real gate = (least > 6 ? Real(6) : least) / 6;
  const Real rising = shifted > 0 && shifted < 6 ? x / 6 : Real(0);
  return {x * gate, gate + rising};
}

template <Activation activation, class Real>
FULLGRAD_INLINE Curve<Real> curve(Real x) {
  if constexpr (activation == Activation::kSilu) return gated(x, x, Real(1));
  if constexpr (activation == Activation::kHardSilu) return hard_silu(x);
  if constexpr (activation == Activation::kGelu) return gelu(x);
  if constexpr (activation == Activation::kGeluTanh) return gelu_tanh(x);
}

// Calls function(std::integral_constant<Activation, activation>()).
template <class Function>
auto with_activation(Activation activation, Function function) {
  switch (activation) {
    case Activation::kHardSilu:
      return function(std::integral_constant<Activation, Activation::kHardSilu>());
    case Activation::kGelu:
      return function(std::integral_constant<Activation, Activation::kGelu>());
    case Activation::kGeluTanh:
      return function(std::integral_constant<Activation, Activation::kGeluTanh>());
    default:
      return function(std::integral_constant<Activation, Activation::kSilu>());
  }
}

}  // namespace fullgrad
