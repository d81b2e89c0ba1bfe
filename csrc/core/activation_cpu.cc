// Activations on CPUs: pieces of the elements, each in one loop.

#include <algorithm>

#include "activation.h"
#include "activation_curves.h"
#include "cpu_instructions.h"
#include "numerics.h"

namespace fullgrad {
namespace {

constexpr int64_t kPiece = 16 << 10;  // Elements.

template <Activation activation, class Element>
FULLGRAD_DISPATCHED void evaluate(const Element* x, int64_t count, Element* out) {
  using Real = ArithmeticOf<Element>;
  FULLGRAD_NO_ALIAS
  for (int64_t i = 0; i < count; ++i) out[i] = narrow<Element>(curve<activation>(load<Real>(x[i])).value);
}

template <Activation activation, class Element>
FULLGRAD_DISPATCHED void go_back(const Element* x, const Element* gradient, int64_t count, Element* out) {
  using Real = ArithmeticOf<Element>;
  FULLGRAD_NO_ALIAS
  for (int64_t i = 0; i < count; ++i) {
    out[i] = narrow<Element>(load<Real>(gradient[i]) * curve<activation>(load<Real>(x[i])).slope);
  }
}

}  // namespace

void activate_cpu(const Activating& a, const ParallelFor& parallel_for) {
  if (a.count == 0) return;
  with_any_type(a.type, [&](auto element) {
    using Element = decltype(element);
    const auto* x = static_cast<const Element*>(a.x);
    const auto* gradient = static_cast<const Element*>(a.gradient);
    auto* out = static_cast<Element*>(a.out);
    with_activation(a.activation, [&](auto known) {
      constexpr Activation activation = decltype(known)::value;
      const int64_t pieces = (a.count + kPiece - 1) / kPiece;
      parallel_for(pieces, 3 * kPiece * size_of(a.type), [&](int64_t begin, int64_t end) {
        const int64_t first = begin * kPiece;
        const int64_t count = std::min(end * kPiece, a.count) - first;
        if (gradient == nullptr) return evaluate<activation>(x + first, count, out + first);
        go_back<activation>(x + first, gradient + first, count, out + first);
      });
    });
  });
}

}  // namespace fullgrad
