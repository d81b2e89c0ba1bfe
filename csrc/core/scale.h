// A signal times a factor for each image and channel, and the gradient of that factor.

#pragma once

#include <cstddef>
#include <string>

#include "saliency.h"

namespace fullgrad {

struct Scaling {
  DataType type = DataType::kFloat32;
  int64_t batch = 0, positions = 1, channels = 1;
  const void* x = nullptr;      // (batch, positions, channels)
  const void* other = nullptr;  // The factor, (batch, channels), or the gradient behind the product, as x.
  void* out = nullptr;          // As x, or (batch, channels). May be x where it is as x.
};

// Describes x * factor, or the sums over positions of x * gradient. Returns what was expected and what came, or
// nothing.
FULLGRAD_API std::string make_scaling(const Array& x, const Array& factor, void* out, Scaling* scaling);
FULLGRAD_API std::string make_sums_of_products(const Array& x, const Array& gradient, void* out, Scaling* scaling);

FULLGRAD_API void scale_cpu(const Scaling& scaling, const ParallelFor& parallel_for);

// Bytes of scratch memory that sums_of_products_cpu() needs, aligned to 64.
FULLGRAD_API size_t sums_of_products_cpu_workspace(const Scaling& scaling);
FULLGRAD_API void sums_of_products_cpu(const Scaling& scaling, void* workspace, const ParallelFor& parallel_for);

}  // namespace fullgrad
