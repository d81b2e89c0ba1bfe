// Counters in device memory, by which blocks of one launch take units, tell that they are done, and wait for others.

#pragma once

#include <cuda_runtime.h>

#include <cstdio>
#include <cuda/atomic>

namespace fullgrad {

using Counter = cuda::atomic_ref<unsigned int, cuda::thread_scope_device>;

__device__ inline unsigned int take(unsigned int* counter) {
  return Counter(*counter).fetch_add(1u, cuda::memory_order_relaxed);
}

// Called by one thread, after a barrier of its block: all that the block did before is seen by who has waited.
__device__ inline void signal(unsigned int* counter) { Counter(*counter).fetch_add(1u, cuda::memory_order_release); }

// The same; returns how many have signalled before, and sees all that those did.
__device__ inline unsigned int signal_and_count(unsigned int* counter) {
  return Counter(*counter).fetch_add(1u, cuda::memory_order_acq_rel);
}

#ifdef FULLGRAD_WATCHDOG  // A build for a first run on new hardware: what would hang ends, and says where.
__device__ inline unsigned long long nanoseconds() {
  unsigned long long now;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
  return now;
}
#endif

// Called by one thread, before a barrier of its block.
__device__ inline void wait_for(unsigned int* counter, unsigned int until) {
#ifdef FULLGRAD_WATCHDOG
  const unsigned long long start = nanoseconds();
#endif
  while (Counter(*counter).load(cuda::memory_order_acquire) < until) {
#ifdef FULLGRAD_WATCHDOG
    if (nanoseconds() - start > 2000000000ull) {
      printf("block %u: counter %p is %u after 2 s, awaited %u\n", blockIdx.x, static_cast<void*>(counter),
             Counter(*counter).load(cuda::memory_order_relaxed), until);
      __trap();
    }
#endif
    __nanosleep(50);
  }
}

}  // namespace fullgrad
