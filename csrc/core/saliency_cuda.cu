// The CUDA path: one launch of a kernel whose blocks stay on the chip and work through the units of a plan, from the
// gradients to the finished maps. cuda_plan.h has the units, cuda_schedule.h their order, cuda_measure.cuh,
// cuda_reduce.cuh and cuda_resize.cuh what is done to each.

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "cuda_counters.cuh"
#include "cuda_lanes.cuh"
#include "cuda_measure.cuh"
#include "cuda_plan.h"
#include "cuda_planner.h"
#include "cuda_reduce.cuh"
#include "cuda_resize.cuh"
#include "cuda_terms.cuh"
#include "numerics.h"
#include "plan.h"
#include "saliency_cuda.h"

namespace fullgrad {
namespace {

// So that a thread has 128 registers, enough that nothing spills; four loads of 16 bytes on their way from each of 512
// threads are nearly twice what hides the latency of an H100's memory.
constexpr int kBlocksPerProcessor = 2;

// The terms, groups and steps come as parameters of a small kernel: a copy from pageable memory might wait for the
// stream. Kernels take 4 kB of parameters, and 32 kB from CUDA 12.1 on.
constexpr size_t kPieceBytes = CUDART_VERSION >= 12010 ? 32000 : 3968;

struct alignas(kVectorBytes) Piece {
  char bytes[kPieceBytes];
};

__global__ void __launch_bounds__(kThreads) copy_piece(const __grid_constant__ Piece piece, size_t bytes, char* to) {
  for (size_t at = (blockIdx.x * kThreads + thread_index()) * kVectorBytes; at < bytes;
       at += gridDim.x * kThreads * kVectorBytes) {
    *reinterpret_cast<uint4*>(to + at) = *reinterpret_cast<const uint4*>(piece.bytes + at);
  }
}

template <class... Parameters, class... Arguments>
cudaError_t launch(void (*kernel)(Parameters...), int blocks, cudaStream_t stream, Arguments&&... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(kThreads);
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...);
}

template <Rescale rescale, Layout layout, class Real>
__device__ void run_unit(const CudaPlan<Real>& plan, const Step& step, unsigned int unit, Real* shared, Real* maps) {
  const int64_t image = step.image + unit / step.units_per_image;
  const int64_t part = unit % step.units_per_image;
  const int64_t begin = part * step.tile;
  const auto end = [&](int64_t size) { return min(begin + step.tile, size); };
  const bool of_term =
      step.kind == StepKind::kConvert || step.kind == StepKind::kMeasure || step.kind == StepKind::kReduce;
  const CudaTerm<Real> term = plan.terms[of_term ? step.index : 0];
  switch (step.kind) {
    case StepKind::kConvert:
      with_any_type(term.weight_type, [&](auto element) {
        const auto* weight = static_cast<const decltype(element)*>(term.weight);
        for (int64_t i = begin + thread_index(); i < end(term.channels); i += kThreads) {
          term.weights[i] = load<Real>(weight[i]);
        }
      });
      return;
    case StepKind::kPlace:
      return place_samples(plan, plan.groups[step.index], begin, end(plan.target[0] + plan.target[1] + plan.target[2]));
    case StepKind::kMeasure:
      if constexpr (rescale == Rescale::kPerChannel) {
        with_image(term, plan.rectification, image, [&](const auto& terms) {
          if constexpr (layout == Layout::kChannelsLast) {
            measure_channels_last(term, terms, image, begin, end(term.positions), shared);
          } else {
            const int64_t tiles = divide_up(term.positions, step.tile);
            const int64_t first = part / tiles * step.tile_channels;
            const int64_t start = part % tiles * step.tile;
            measure_channels_first(term, terms, image, first, min(first + step.tile_channels, term.channels), start,
                                   min(start + step.tile, term.positions));
          }
        });
      }
      return;
    case StepKind::kReduce:
      with_image(term, plan.rectification, image, [&](const auto& terms) {
        // Of what is rescaled later the sum is wanted.
        const Real factor =
            rescale == Rescale::kPerSample ? Real(1) : channels_factor<Real>(plan.options.channels, term.channels);
        if constexpr (layout == Layout::kChannelsLast) {
          reduce_channels_last<rescale>(term, terms, image, begin, end(term.positions), factor, shared);
        } else {
          reduce_channels_first<rescale>(term, terms, image, begin, end(term.positions), factor, shared);
        }
      });
      return;
    case StepKind::kAdd:
      return add_terms<rescale>(plan, image, begin, begin + step.tile);
    case StepKind::kResize:
      return resize_groups(plan, image, begin + thread_index(), maps);
  }
}

template <class Real, Rescale rescale, Layout layout>
__global__ void __launch_bounds__(kThreads, kBlocksPerProcessor)
    saliency_kernel(const __grid_constant__ CudaPlan<Real> plan, Real* maps) {
  constexpr int kWidest = kVectorBytes / (sizeof(Real) == 8 ? sizeof(float) : sizeof(Float16));
  __shared__ Real shared[kThreads * kWidest];
  __shared__ unsigned int taken;
  __shared__ bool last;
  const bool leader = thread_index() == 0;
  if (leader) taken = take(plan.next);
  int at = 0;
  for (;;) {
    __syncthreads();
    const unsigned int unit = taken;
    if (unit >= plan.units) return;

    // The units of a block only ever rise, so its steps do.
    for (int passed = kThreads; passed == kThreads; at += passed) {
      const int ahead = at + 1 + thread_index();
      passed = __syncthreads_count(ahead < plan.steps_count && plan.starts[ahead] <= unit);
    }
    const unsigned int local = unit - plan.starts[at];
    const bool in_turns = plan.steps[at].in_turns;
    const Step& step = plan.steps[at - (in_turns && local % 2 == 0)];
    if (leader) {
      const unsigned int next = take(plan.next);  // On its way while this unit's are waited for.
      if (step.waits_for != kNoCounter) wait_for(plan.counters + step.waits_for, step.until);
      taken = next;
    }
    __syncthreads();
    run_unit<rescale, layout>(plan, step, step.first + (in_turns ? local / 2 : local), shared, maps);
    __syncthreads();

    if (rescale != Rescale::kPerChannel || step.kind != StepKind::kMeasure) {
      if (leader && step.signals != kNoCounter) signal(plan.counters + step.signals);
      continue;
    }
    // Whoever measured the last unit makes of the ranges what rescales, and signals once more.
    if (leader) last = signal_and_count(plan.counters + step.signals) == step.signalled - 1;
    __syncthreads();
    if (!last) continue;
    prepare_rescale(plan.terms[step.index], step.image, step.signalled / step.units_per_image);
    __syncthreads();
    if (leader) signal(plan.counters + step.signals);
  }
}

template <class Real>
using Kernel = void (*)(CudaPlan<Real>, Real*);

template <class Real, Rescale rescale>
Kernel<Real> kernel_for(Layout layout) {
  return layout == Layout::kChannelsLast ? saliency_kernel<Real, rescale, Layout::kChannelsLast>
                                         : saliency_kernel<Real, rescale, Layout::kChannelsFirst>;
}

template <class Real>
Kernel<Real> kernel_for(const Options& options) {
  if (options.rescale == Rescale::kPerChannel) return kernel_for<Real, Rescale::kPerChannel>(options.layout);
  if (options.rescale == Rescale::kPerSample) return kernel_for<Real, Rescale::kPerSample>(options.layout);
  return kernel_for<Real, Rescale::kNone>(options.layout);
}

// How many blocks of the kernel the device runs at a time.
template <class Real>
cudaError_t resident_blocks(const Options& options, int* blocks) {
  int device = 0, processors = 0, per_processor = 0;
  if (const cudaError_t error = cudaGetDevice(&device)) return error;
  if (const cudaError_t error = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device))
    return error;
  if (const cudaError_t error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(
          &per_processor, reinterpret_cast<const void*>(kernel_for<Real>(options)), kThreads, 0)) {
    return error;
  }
  *blocks = processors * per_processor;
  return *blocks > 0 ? cudaSuccess : cudaErrorLaunchOutOfResources;
}

template <class Real>
cudaError_t workspace(const Problem& problem, size_t* bytes) {
  int blocks = 0;
  if (const cudaError_t error = resident_blocks<Real>(problem.options, &blocks)) return error;
  const CudaPlanner<Real> planner(problem, blocks, nullptr);
  *bytes = planner.workspace();
  return planner.too_many_units() ? cudaErrorInvalidConfiguration : cudaSuccess;
}

template <class Real>
cudaError_t run(const Problem& problem, Real* maps, void* workspace, cudaStream_t stream) {
  if (problem.batch == 0) return cudaSuccess;
  int blocks = 0;
  if (const cudaError_t error = resident_blocks<Real>(problem.options, &blocks)) return error;
  const CudaPlanner<Real> planner(problem, blocks, workspace);
  if (planner.too_many_units()) return cudaErrorInvalidConfiguration;

  const std::vector<char>& upload = planner.upload();
  for (size_t at = 0; at < upload.size(); at += kPieceBytes) {
    Piece piece;
    const size_t bytes = std::min(kPieceBytes, upload.size() - at);
    std::memcpy(piece.bytes, upload.data() + at, bytes);
    const int copiers = static_cast<int>(divide_up(bytes, kThreads * kVectorBytes));
    if (const cudaError_t error =
            launch(copy_piece, copiers, stream, piece, bytes, static_cast<char*>(workspace) + at)) {
      return error;
    }
  }
  if (const cudaError_t error = cudaMemsetAsync(planner.zeroed(), 0, planner.zeroed_bytes(), stream)) return error;
  return launch(kernel_for<Real>(problem.options), blocks, stream, planner.plan(), maps);
}

}  // namespace

cudaError_t saliency_cuda_workspace(const Problem& problem, size_t* bytes) {
  return problem.map_type == DataType::kFloat64 ? workspace<double>(problem, bytes) : workspace<float>(problem, bytes);
}

cudaError_t saliency_cuda(const Problem& problem, void* maps, void* workspace, cudaStream_t stream) {
  return problem.map_type == DataType::kFloat64 ? run(problem, static_cast<double*>(maps), workspace, stream)
                                                : run(problem, static_cast<float*>(maps), workspace, stream);
}

}  // namespace fullgrad
