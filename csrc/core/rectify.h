// The rectifier as numbers, so that one code serves all four: the sign's bit is kept or not, and the value is clamped.

#pragma once

#include <limits>

#include "numerics.h"
#include "saliency.h"

namespace fullgrad {

template <class Real>
struct Rectification {
  KeyOf<Real> kept;  // Bits.
  Real least, most;
};

template <class Real>
Rectification<Real> rectification_of(Rectifier rectifier) {
  constexpr KeyOf<Real> kAll = ~KeyOf<Real>(0);
  constexpr Real kInfinity = std::numeric_limits<Real>::infinity();
  return {rectifier == Rectifier::kAbsolute ? kAll >> 1 : kAll,
          rectifier == Rectifier::kPositive ? Real(0) : -kInfinity,
          rectifier == Rectifier::kNegative ? Real(0) : kInfinity};
}

template <class Real>
FULLGRAD_INLINE Real without_sign(const Rectification<Real>& by, Real t) {
  return cast_bits<Real>(static_cast<KeyOf<Real>>(cast_bits<KeyOf<Real>>(t) & by.kept));
}

// NaN passes through.
template <class Real>
FULLGRAD_INLINE Real rectify(const Rectification<Real>& by, Real t) {
  t = without_sign(by, t);
#ifdef __CUDA_ARCH__
  return nan_min(by.most, nan_max(by.least, t));  // One instruction each there.
#else
  t = t < by.least ? by.least : t;
  return t > by.most ? by.most : t;
#endif
}

}  // namespace fullgrad
