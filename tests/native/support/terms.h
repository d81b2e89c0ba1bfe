// Gradients and weights for tests.

#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "core/saliency.h"

namespace fullgrad::testing {

// Element `index` of an array, widened without the core's help.
double element(const Array& array, int64_t index);

// The sizes of a gradient.
std::vector<int64_t> shape_of(int64_t batch, const std::vector<int64_t>& space, int64_t channels, Layout layout);

// Arrays, each in a block of memory of just its size, so that AddressSanitizer sees whoever leaves it.
class Terms {
 public:
  using Draw = std::function<double()>;

  // Values are rounded towards zero to the type.
  void add(const std::vector<int64_t>& gradient, DataType gradient_type, const std::vector<int64_t>& weight,
           DataType weight_type, const Draw& draw);

  std::vector<Array> gradients, weights;

 private:
  Array array(const std::vector<int64_t>& shape, DataType type, const Draw& draw);

  std::deque<std::vector<char>> memory_;
};

// Multiples of 1 / 32 from -4 to 4, which every type holds, as float32 holds their products: so that results differ by
// the sums' rounding alone.
class Steps {
 public:
  explicit Steps(uint64_t seed) : state_(seed) {}
  double operator()() { return static_cast<int8_t>(bits()) / 32.0; }
  uint64_t bits();

 private:
  uint64_t state_;
};

}  // namespace fullgrad::testing
