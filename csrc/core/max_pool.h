// What goes back through a pooling by the largest value: to the first position of each window that has it.

#pragma once

#include <array>
#include <string>

#include "saliency.h"

namespace fullgrad {

struct MaxPool {
  DataType type = DataType::kFloat32;  // kFloat32 or kFloat64
  int64_t batch = 0, channels = 1;
  std::array<int64_t, 2> before = {1, 1}, behind = {1, 1};  // Positions of the signal, and of windows.
  std::array<int64_t, 2> window = {1, 1}, strides = {1, 1}, padded = {0, 0};
  const void* x = nullptr;         // (batch, before, channels)
  const void* y = nullptr;         // (batch, behind, channels): the largest of each window.
  const void* gradient = nullptr;  // As y.
  void* out = nullptr;             // As x.
};

// Describes a pooling of windows that lie as TensorFlow's "SAME" or "VALID" lays them. Returns what was expected and
// what came, or nothing where all is well; looks at no element.
FULLGRAD_API std::string make_max_pool(const Array& x, const Array& y, const Array& gradient,
                                       const std::array<int64_t, 2>& window, const std::array<int64_t, 2>& strides,
                                       bool same, void* out, MaxPool* pool);

// The same bits however `parallel_for` cuts the work.
FULLGRAD_API void max_pool_gradient_cpu(const MaxPool& pool, const ParallelFor& parallel_for);

}  // namespace fullgrad
