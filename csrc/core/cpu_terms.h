// A term as the CPU's loops see it: the value at one channel and element, computed where it is used and kept nowhere,
// rectified or also rescaled; what is kept for each of its channels; and where its elements lie. What depends on types
// is compiled in, so that no loop asks for it.

#pragma once

#include <cstdint>
#include <type_traits>

#include "cpu_instructions.h"
#include "numerics.h"
#include "rectify.h"
#include "saliency.h"

namespace fullgrad {

// How far ahead memory is asked for. By itself the processor fetches ahead within a page, and waits at each next one.
inline constexpr int64_t kPrefetchBytes = 4096;
inline constexpr int64_t kLineBytes = 64;

// A weight for each channel, already converted, or for each element.
template <class Real>
struct ChannelWeight {
  static constexpr bool kPerChannel = true;
  const Real* values;
  Real operator()(int64_t channel, int64_t) const { return values[channel]; }
};

template <class Real, class Element>
struct ElementWeight {
  static constexpr bool kPerChannel = false;
  const Element* values;
  Real operator()(int64_t, int64_t element) const { return load<Real>(values[element]); }
};

// The rectified term at one element of an image.
template <class Real, class Element, class Weight>
struct Rectified {
  Rectification<Real> rectification;
  const Element* gradient;
  Weight weight;
  Real operator()(int64_t channel, int64_t element) const {
    return rectify(rectification, weight(channel, element) * load<Real>(gradient[element]));
  }

  // Asks for what lies ahead of kLanes elements.
  void prefetch(int64_t element) const {
    constexpr int64_t kBytes = kLanes * sizeof(Element);
    const auto ahead = reinterpret_cast<uintptr_t>(gradient + element) + kPrefetchBytes;  // Maybe beyond its end.
    for (int64_t line = 0; line < kBytes; line += kLineBytes) {
      __builtin_prefetch(reinterpret_cast<const void*>(ahead + line));
    }
  }

  // What is measured in the term's stead: a channel's weight keeps the order of its gradients or reverses it, so that
  // it need not be applied before the ends of their range are known.
  Real key(int64_t channel, int64_t element) const {
    if constexpr (!Weight::kPerChannel) return (*this)(channel, element);
    return without_sign(rectification, load<Real>(gradient[element]));
  }

  Range<Real> range(int64_t channel, Range<Real> keys) const {
    if constexpr (!Weight::kPerChannel) return keys;
    const Real a = rectify(rectification, weight(channel, 0) * keys.min);
    const Real b = rectify(rectification, weight(channel, 0) * keys.max);
    return {nan_min(a, b), plain_max(a, b)};
  }

  // Not where the weight is infinite: 0 among the gradients gives NaN.
  bool range_follows_from_keys(int64_t channel) const {
    return !Weight::kPerChannel || weight(channel, 0) - weight(channel, 0) == 0;
  }
};

template <class Real>
struct ChannelRanges {
  Real* min;  // (channels,)
  Real* max;
};

// (t - min) * factor, each (channels,).
template <class Real>
struct ChannelRescale {
  Real* min;
  Real* factor;
};

template <class Real, class Rectified>
struct Rescaled {
  Rectified rectified;
  ChannelRescale<Real> rescale;
  void prefetch(int64_t element) const { rectified.prefetch(element); }
  Real operator()(int64_t channel, int64_t element) const {
    return (rectified(channel, element) - rescale.min[channel]) * rescale.factor[channel];
  }
};

// Where the elements of an image lie whose channels are taken one after the other: in planes, or, of pixels, side by
// side. Too few to fill the lanes, channels of a pixel leave them to the positions.
struct Planes {
  int64_t size;
  int64_t operator()(int64_t channel, int64_t position) const { return channel * size + position; }
};

struct Pixels {
  static constexpr int64_t kChannels = 3;
  int64_t operator()(int64_t channel, int64_t position) const { return position * kChannels + channel; }
};

}  // namespace fullgrad
