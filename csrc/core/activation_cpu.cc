// Activations on CPUs: pieces of the elements, each in a few loops over what the cache holds.

#include <algorithm>

#include "activation.h"
#include "activation_curves.h"
#include "cpu_instructions.h"
#include "numerics.h"

namespace fullgrad {
namespace {

constexpr int64_t kPiece = 16 << 10;  // Elements.
constexpr int64_t kChunk = 256;       // Whose sums over branches lie in the nearest cache.

template <Activation activation, class Element>
FULLGRAD_DISPATCHED void evaluate(const Element* x, int64_t count, Element* out) {
  using Real = ArithmeticOf<Element>;
  FULLGRAD_NO_ALIAS
  for (int64_t i = 0; i < count; ++i) out[i] = narrow<Element>(curve<activation>(load<Real>(x[i])).value);
}

template <class Element, class Real>
FULLGRAD_DISPATCHED void add(const Element* gradient, const Element* factor, bool first, int64_t count, Real* sums) {
  if (factor == nullptr && first) {
    FULLGRAD_NO_ALIAS
    for (int64_t i = 0; i < count; ++i) sums[i] = load<Real>(gradient[i]);
  } else if (factor == nullptr) {
    FULLGRAD_NO_ALIAS
    for (int64_t i = 0; i < count; ++i) sums[i] += load<Real>(gradient[i]);
  } else if (first) {
    FULLGRAD_NO_ALIAS
    for (int64_t i = 0; i < count; ++i) sums[i] = load<Real>(gradient[i]) * load<Real>(factor[i]);
  } else {
    FULLGRAD_NO_ALIAS
    for (int64_t i = 0; i < count; ++i) sums[i] += load<Real>(gradient[i]) * load<Real>(factor[i]);
  }
}

template <Activation activation, class Element, class Real>
FULLGRAD_DISPATCHED void go_back(const Element* x, const Real* sums, int64_t count, Element* out) {
  FULLGRAD_NO_ALIAS
  for (int64_t i = 0; i < count; ++i) out[i] = narrow<Element>(sums[i] * curve<activation>(load<Real>(x[i])).slope);
}

// The elements from `begin` to `end`, a chunk at a time, none of which goes on from one position to the next where
// something depends on the channel.
template <Activation activation, class Element>
void go_back(const Activating& a, int64_t begin, int64_t end) {
  using Real = ArithmeticOf<Element>;
  const auto of_channel = [](const Branch& branch) { return branch.per_channel || branch.factor != nullptr; };
  const bool by_channel = std::any_of(a.branches.begin(), a.branches.end(), of_channel);
  Real sums[kChunk];
  while (begin < end) {
    const int64_t position = begin / a.channels, channel = begin % a.channels;
    const int64_t here = by_channel ? a.channels - channel : end - begin;
    const int64_t count = std::min({kChunk, here, end - begin});
    const int64_t of_image = position / a.positions * a.channels + channel;
    for (const Branch& branch : a.branches) {
      const auto* gradient = static_cast<const Element*>(branch.gradient) + (branch.per_channel ? of_image : begin);
      const auto* factor = static_cast<const Element*>(branch.factor);
      add(gradient, factor == nullptr ? nullptr : factor + of_image, &branch == &a.branches[0], count, sums);
    }
    go_back<activation>(static_cast<const Element*>(a.x) + begin, sums, count, static_cast<Element*>(a.out) + begin);
    begin += count;
  }
}

}  // namespace

void activate_cpu(const Activating& a, const ParallelFor& parallel_for) {
  const int64_t count = a.count();
  if (count == 0) return;
  with_any_type(a.type, [&](auto element) {
    using Element = decltype(element);
    const auto* x = static_cast<const Element*>(a.x);
    auto* out = static_cast<Element*>(a.out);
    with_activation(a.activation, [&](auto known) {
      constexpr Activation activation = decltype(known)::value;
      const int64_t pieces = (count + kPiece - 1) / kPiece;
      parallel_for(pieces, 3 * kPiece * size_of(a.type), [&](int64_t begin, int64_t end) {
        const int64_t first = begin * kPiece, last = std::min(end * kPiece, count);
        if (a.branches.empty()) return evaluate<activation>(x + first, last - first, out + first);
        go_back<activation, Element>(a, first, last);
      });
    });
  });
}

}  // namespace fullgrad
