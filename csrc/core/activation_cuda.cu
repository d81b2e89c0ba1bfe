// Activations on GPUs: as many blocks as run at a time, whose threads go through the elements with the grid's stride.

#include <algorithm>
#include <utility>

#include "activation_cuda.h"
#include "activation_curves.h"
#include "numerics.h"

namespace fullgrad {
namespace {

constexpr int kThreads = 256;
constexpr int kBlocksPerProcessor = 8;  // 2048 threads, all that a processor holds.

template <Activation activation, class Element>
__global__ void __launch_bounds__(kThreads)
    activate_kernel(const Element* x, const Element* gradient, int64_t count, Element* out) {
  using Real = ArithmeticOf<Element>;
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += stride) {
    const Curve<Real> at = curve<activation>(load<Real>(x[i]));
    out[i] = narrow<Element>(gradient == nullptr ? at.value : load<Real>(gradient[i]) * at.slope);
  }
}

}  // namespace

cudaError_t activate_cuda(const Activating& a, cudaStream_t stream) {
  if (a.count() == 0) return cudaSuccess;
  if (a.branches.size() > 1 || (a.branches.size() == 1 && (a.branches[0].factor || a.branches[0].per_channel))) {
    return cudaErrorInvalidConfiguration;
  }
  const void* gradient = a.branches.empty() ? nullptr : a.branches[0].gradient;
  int device = 0, processors = 0;
  if (const cudaError_t error = cudaGetDevice(&device)) return error;
  if (const cudaError_t error = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device))
    return error;
  const int64_t blocks = std::min<int64_t>((a.count() + kThreads - 1) / kThreads, processors * kBlocksPerProcessor);
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned int>(blocks));
  config.blockDim = dim3(kThreads);
  config.stream = stream;
  cudaError_t error = cudaSuccess;
  with_any_type(a.type, [&](auto element) {
    using Element = decltype(element);
    with_activation(a.activation, [&](auto known) {
      error = cudaLaunchKernelEx(&config, activate_kernel<decltype(known)::value, Element>,
                                 static_cast<const Element*>(a.x), static_cast<const Element*>(gradient), a.count(),
                                 static_cast<Element*>(a.out));
    });
  });
  return error;
}

}  // namespace fullgrad
