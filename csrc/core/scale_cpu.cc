// Scaling on CPUs. Sums over positions are taken in blocks of a fixed length, and then over the blocks: the same bits
// on any number of threads, and less rounding than one by one.

#include <algorithm>

#include "cpu_instructions.h"
#include "numerics.h"
#include "scale.h"

namespace fullgrad {
namespace {

constexpr int64_t kBlock = 128;  // Positions.

int64_t blocks_of(const Scaling& s) { return (s.positions + kBlock - 1) / kBlock; }

template <class Element>
FULLGRAD_DISPATCHED void scale(const Element* x, const Element* factor, int64_t count, Element* out) {
  using Real = ArithmeticOf<Element>;
  FULLGRAD_NO_ALIAS
  for (int64_t i = 0; i < count; ++i) out[i] = narrow<Element>(load<Real>(x[i]) * load<Real>(factor[i]));
}

template <class Element, class Real>
FULLGRAD_DISPATCHED void add_products(const Element* x, const Element* gradient, int64_t count, Real* sums) {
  FULLGRAD_NO_ALIAS
  for (int64_t i = 0; i < count; ++i) sums[i] += load<Real>(x[i]) * load<Real>(gradient[i]);
}

template <class Element, class Real>
void add_blocks(const Real* sums, int64_t blocks, int64_t channels, Element* out) {
  for (int64_t channel = 0; channel < channels; ++channel) {
    Real sum = 0;
    for (int64_t block = 0; block < blocks; ++block) sum += sums[block * channels + channel];
    out[channel] = narrow<Element>(sum);
  }
}

}  // namespace

void scale_cpu(const Scaling& s, const ParallelFor& parallel_for) {
  const int64_t blocks = blocks_of(s);
  if (s.batch * blocks * s.channels == 0) return;
  with_any_type(s.type, [&](auto element) {
    using Element = decltype(element);
    parallel_for(s.batch * blocks, 2 * kBlock * s.channels * size_of(s.type), [&](int64_t begin, int64_t end) {
      for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t image = unit / blocks, first = unit % blocks * kBlock;
        const auto* factor = static_cast<const Element*>(s.other) + image * s.channels;
        for (int64_t position = first; position < std::min(first + kBlock, s.positions); ++position) {
          const int64_t at = (image * s.positions + position) * s.channels;
          scale(static_cast<const Element*>(s.x) + at, factor, s.channels, static_cast<Element*>(s.out) + at);
        }
      }
    });
  });
}

size_t sums_of_products_cpu_workspace(const Scaling& s) {
  return s.batch * blocks_of(s) * s.channels * (s.type == DataType::kFloat64 ? sizeof(double) : sizeof(float));
}

void sums_of_products_cpu(const Scaling& s, void* workspace, const ParallelFor& parallel_for) {
  const int64_t blocks = blocks_of(s);
  if (s.batch * s.channels == 0) return;
  with_any_type(s.type, [&](auto element) {
    using Element = decltype(element);
    using Real = ArithmeticOf<Element>;
    auto* sums = static_cast<Real*>(workspace);
    parallel_for(s.batch * blocks, 2 * kBlock * s.channels * size_of(s.type), [&](int64_t begin, int64_t end) {
      for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t image = unit / blocks, first = unit % blocks * kBlock;
        Real* own = sums + unit * s.channels;
        std::fill_n(own, s.channels, Real(0));
        for (int64_t position = first; position < std::min(first + kBlock, s.positions); ++position) {
          const int64_t at = (image * s.positions + position) * s.channels;
          add_products(static_cast<const Element*>(s.x) + at, static_cast<const Element*>(s.other) + at, s.channels,
                       own);
        }
      }
    });
    for (int64_t image = 0; image < s.batch; ++image) {
      add_blocks(sums + image * blocks * s.channels, blocks, s.channels,
                 static_cast<Element*>(s.out) + image * s.channels);
    }
  });
}

}  // namespace fullgrad
