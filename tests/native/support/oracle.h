// The maps in float64, by the definition and the slowest route: every channel is resized. What tests/oracle.py is in
// Python.

#pragma once

#include <cstdint>
#include <vector>

#include "core/saliency.h"

namespace fullgrad::testing {

struct Expected {
  std::vector<double> maps;
  double scale;  // The most that absolute values add up to at a position: rounding is relative to it.
};

Expected expected_maps(const std::vector<Array>& gradients, const std::vector<Array>& weights,
                       const std::vector<int64_t>& size, const Options& options);

}  // namespace fullgrad::testing
