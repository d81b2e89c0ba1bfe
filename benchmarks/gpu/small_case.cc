// Every kernel and every way to read a term, on a few small terms in memory of their own, for compute-sanitizer.

#include <cuda_runtime.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/numerics.h"
#include "core/saliency_cuda.h"

namespace {

using namespace fullgrad;

void check(cudaError_t error) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "CUDA: %s\n", cudaGetErrorString(error));
  std::exit(1);
}

// `count` elements of a type, all 1.
void* ones(DataType type, int64_t count) {
  std::vector<char> host(count * size_of(type));
  for (int64_t i = 0; i < count; ++i) {
    char* at = host.data() + i * size_of(type);
    switch (type) {
      case DataType::kFloat16:
        *reinterpret_cast<uint16_t*>(at) = 0x3c00;
        break;
      case DataType::kBFloat16:
        *reinterpret_cast<uint16_t*>(at) = 0x3f80;
        break;
      case DataType::kFloat32:
        *reinterpret_cast<float*>(at) = 1;
        break;
      case DataType::kFloat64:
        *reinterpret_cast<double*>(at) = 1;
        break;
    }
  }
  void* device = nullptr;
  check(cudaMalloc(&device, host.size()));
  check(cudaMemcpy(device, host.data(), host.size(), cudaMemcpyHostToDevice));
  return device;
}

// Height, width and channels.
using Size = std::array<int64_t, 3>;

void run(DataType type, Rescale rescale, Layout layout, const std::vector<Size>& sizes) {
  constexpr int64_t kBatch = 2;
  std::vector<Array> gradients, weights;
  std::vector<void*> allocated;
  for (const auto& [height, width, channels] : sizes) {
    for (const bool per_channel : {true, false}) {
      const std::vector<int64_t> shape = layout == Layout::kChannelsLast
                                             ? std::vector<int64_t>{kBatch, height, width, channels}
                                             : std::vector<int64_t>{kBatch, channels, height, width};
      const int64_t elements = kBatch * height * width * channels;
      gradients.push_back({allocated.emplace_back(ones(type, elements)), shape, type});
      const std::vector<int64_t> weight_shape = per_channel ? std::vector<int64_t>{channels} : shape;
      weights.push_back({allocated.emplace_back(ones(type, per_channel ? channels : elements)), weight_shape, type});
    }
  }
  Options options;
  options.rescale = rescale;
  options.layout = layout;
  Problem problem;
  const std::string error =
      make_problem(gradients, weights, {9, 13}, options,
                   type == DataType::kFloat64 ? DataType::kFloat64 : DataType::kFloat32, &problem);
  if (!error.empty()) {
    std::fprintf(stderr, "%s\n", error.c_str());
    std::exit(1);
  }
  size_t bytes = 0;
  check(saliency_cuda_workspace(problem, &bytes));
  void *workspace = nullptr, *maps = nullptr;
  const int64_t pixels = kBatch * positions(problem.target);
  check(cudaMalloc(&workspace, bytes));
  check(cudaMalloc(&maps, pixels * size_of(problem.map_type)));
  check(saliency_cuda(problem, maps, workspace, nullptr));
  check(cudaDeviceSynchronize());

  std::vector<char> host(pixels * size_of(problem.map_type));
  check(cudaMemcpy(host.data(), maps, host.size(), cudaMemcpyDeviceToHost));
  const double expected = rescale == Rescale::kNone ? static_cast<double>(problem.terms.size()) : 0;
  for (int64_t i = 0; i < pixels; ++i) {
    const double value = problem.map_type == DataType::kFloat64 ? reinterpret_cast<const double*>(host.data())[i]
                                                                : reinterpret_cast<const float*>(host.data())[i];
    if (std::fabs(value - expected) > 1e-5) {
      std::fprintf(stderr, "expected %g at %d, got %g\n", expected, static_cast<int>(i), value);
      std::exit(1);
    }
  }
  check(cudaFree(workspace));
  check(cudaFree(maps));
  for (void* array : allocated) check(cudaFree(array));
}

}  // namespace

int main() {
  for (const DataType type : {DataType::kFloat16, DataType::kBFloat16, DataType::kFloat32, DataType::kFloat64}) {
    for (const Rescale rescale : {Rescale::kNone, Rescale::kPerChannel, Rescale::kPerSample}) {
      for (const Layout layout : {Layout::kChannelsLast, Layout::kChannelsFirst}) {
        run(type, rescale, layout, {{9, 13, 3}, {4, 4, 40}, {4, 4, 8}, {1, 1, 300}});
        // On the few blocks of a test's host a unit of neither the least size nor the most: it has to start where a
        // vector may.
        run(type, rescale, layout, {{52, 8, 192 / size_of(type) - 1}});
      }
    }
  }
  std::puts("all maps as expected");
}
