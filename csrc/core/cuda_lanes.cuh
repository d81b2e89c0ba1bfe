// How the threads of a block work together: `lanes` of them side by side are a row, which owns what they read together.
// Within a row they exchange by shuffles, between rows through shared memory, in both by halves: the order of a sum is
// that of the threads, whenever each comes.

#pragma once

#include <cuda_runtime.h>

#include "cuda_plan.h"

namespace fullgrad {

__device__ inline int thread_index() { return static_cast<int>(threadIdx.x); }

// Of each `lanes` threads side by side, which all call this; any of them has the result.
template <class Real>
__device__ Real add_lanes(Real sum, int lanes) {
  for (int step = lanes / 2; step > 0; step /= 2) sum += __shfl_xor_sync(~0u, sum, step);
  return sum;
}

// Folds value[i] of all rows, each of `lanes` threads side by side, into one that every row gets. `shared` is of
// kThreads * kWidth. All threads of the block call it.
template <int kWidth, class T, class Function>
__device__ void fold_rows(T (&value)[kWidth], int lanes, T* shared, Function function) {
  const int thread = thread_index();
  for (int i = 0; i < kWidth; ++i) shared[i * kThreads + thread] = value[i];
  for (int threads = kThreads / 2; threads >= lanes; threads /= 2) {
    __syncthreads();
    if (thread < threads) {
      for (int i = 0; i < kWidth; ++i) {
        T& mine = shared[i * kThreads + thread];
        mine = function(mine, shared[i * kThreads + thread + threads]);
      }
    }
  }
  __syncthreads();
  for (int i = 0; i < kWidth; ++i) value[i] = shared[i * kThreads + thread % lanes];
  __syncthreads();
}

}  // namespace fullgrad
