// Stands in for the CUDA runtime, so that a .cu file compiles as plain C++ and its kernels run on the host, for tests
// where there is no GPU. It has what csrc/core uses and nothing else.
//
// Blocks run on a few threads of the host, so that blocks that wait for each other do. The threads of a block are
// fibers of one of those: each runs until it comes to a barrier, and then it is the next one's turn.

#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ static thread_local
#define CUDART_VERSION 13000

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorLaunchOutOfResources = 701
};
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount = 16 };
using cudaStream_t = struct CUstream_st*;

struct dim3 {
  unsigned int x = 1, y = 1, z = 1;
  dim3(unsigned int x = 1, unsigned int y = 1, unsigned int z = 1) : x(x), y(y), z(z) {}
};

struct uint4 {
  unsigned int x, y, z, w;
};

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
};

namespace emulator {

inline constexpr int kProcessors = 3;
inline constexpr int kWarp = 32;
inline constexpr size_t kStackBytes = 64 << 10;

// The threads of one block.
class Block {
 public:
  Block(int threads, std::function<void()> body)
      : body_(std::move(body)), fibers_(threads), votes_(threads), lanes_(threads), warps_(threads / kWarp) {}

  void run() {
    current() = this;
    static thread_local std::vector<std::unique_ptr<char[]>> stacks;  // Kept for the blocks to come.
    while (stacks.size() < fibers_.size()) stacks.emplace_back(new char[kStackBytes]);
    for (size_t i = 0; i < fibers_.size(); ++i) {
      Fiber& fiber = fibers_[i];
      getcontext(&fiber.context);
      fiber.context.uc_stack.ss_sp = stacks[i].get();
      fiber.context.uc_stack.ss_size = kStackBytes;
      fiber.context.uc_link = nullptr;
      makecontext(&fiber.context, reinterpret_cast<void (*)()>(&Block::enter), 0);
    }
    running_ = static_cast<int>(fibers_.size());
    thread_ = -1;
    if (_setjmp(home_) == 0) next();
  }

  static Block*& current() {
    static thread_local Block* block = nullptr;
    return block;
  }

  int thread() const { return thread_; }

  // Returns once all threads of the block are here.
  void barrier() { meet(&all_, running_); }

  int count(bool vote) {
    votes_[thread_] = vote;
    barrier();
    const int sum = static_cast<int>(std::count(votes_.begin(), votes_.end(), char(1)));
    barrier();
    return sum;
  }

  // All 32 threads of a warp call it.
  template <class T>
  T exchange(T value, int mask) {
    Meeting* warp = &warps_[thread_ / kWarp];
    std::memcpy(lanes_[thread_].bytes, &value, sizeof(T));
    meet(warp, kWarp);
    T other;
    std::memcpy(&other, lanes_[thread_ ^ mask].bytes, sizeof(T));
    meet(warp, kWarp);
    return other;
  }

 private:
  struct Fiber {
    ucontext_t context;
    jmp_buf resume;
    bool started = false, ended = false;
  };
  struct Lane {
    char bytes[8];
  };
  struct Meeting {
    int arrived = 0;
    int64_t phase = 0;
  };

  static void enter() {
    Block* block = current();
    block->body_();
    block->fibers_[block->thread_].ended = true;
    --block->running_;
    block->next();
  }

  void meet(Meeting* meeting, int expected) {
    const int64_t mine = meeting->phase;
    if (++meeting->arrived == expected) {
      meeting->arrived = 0;
      ++meeting->phase;
    }
    while (meeting->phase == mine) yield();
  }

  void yield() {
    if (_setjmp(fibers_[thread_].resume) == 0) next();
  }

  // Goes to the next thread of the block, or home where there is none left.
  void next() {
    if (running_ == 0) _longjmp(home_, 1);
    do {
      thread_ = (thread_ + 1) % static_cast<int>(fibers_.size());
    } while (fibers_[thread_].ended);
    Fiber& fiber = fibers_[thread_];
    if (fiber.started) _longjmp(fiber.resume, 1);
    fiber.started = true;
    setcontext(&fiber.context);
  }

  std::function<void()> body_;
  std::vector<Fiber> fibers_;
  std::vector<char> votes_;
  std::vector<Lane> lanes_;
  std::vector<Meeting> warps_;
  Meeting all_;
  jmp_buf home_;
  int running_ = 0, thread_ = -1;
};

struct ThreadIndex {
  struct X {
    operator unsigned int() const { return static_cast<unsigned int>(Block::current()->thread()); }
  } x;
};

}  // namespace emulator

inline constexpr emulator::ThreadIndex threadIdx;
inline thread_local dim3 blockIdx, gridDim;

inline void __syncthreads() { emulator::Block::current()->barrier(); }
inline int __syncthreads_count(int predicate) { return emulator::Block::current()->count(predicate != 0); }

template <class T>
T __shfl_xor_sync(unsigned int, T value, int mask) {
  return emulator::Block::current()->exchange(value, mask);
}

template <class T>
bool __isGlobal(T*) {
  return true;
}
#define __builtin_assume(condition) static_cast<void>(condition)

inline void __nanosleep(unsigned int) { std::this_thread::yield(); }

template <class T>
T __ldcs(const T* from) {
  return *from;
}

template <class T>
T atomicMax(T* address, T value) {
  T old = __atomic_load_n(address, __ATOMIC_SEQ_CST);
  while (old < value && !__atomic_compare_exchange_n(address, &old, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
  }
  return old;
}

using std::min;

inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}

inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = emulator::kProcessors;
  return cudaSuccess;
}

inline cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int, size_t) {
  *blocks = 1;
  return cudaSuccess;
}

enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2 };

inline cudaError_t cudaMalloc(void** memory, size_t bytes) {
  *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  return cudaSuccess;
}

inline cudaError_t cudaFree(void* memory) {
  std::free(memory);
  return cudaSuccess;
}

inline cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}

inline cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }

inline cudaError_t cudaMemset(void* at, int value, size_t bytes) {
  std::memset(at, value, bytes);
  return cudaSuccess;
}

inline cudaError_t cudaMemsetAsync(void* at, int value, size_t bytes, cudaStream_t) {
  std::memset(at, value, bytes);
  return cudaSuccess;
}

inline const char* cudaGetErrorString(cudaError_t) { return "an emulated error"; }

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  std::atomic<unsigned int> next{0};
  const auto work = [&] {
    gridDim = config->gridDim;
    for (unsigned int block = next++; block < config->gridDim.x; block = next++) {
      blockIdx = dim3(block);
      emulator::Block(static_cast<int>(config->blockDim.x), [&] { kernel(arguments...); }).run();
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < emulator::kProcessors; ++i) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
  return cudaSuccess;
}
