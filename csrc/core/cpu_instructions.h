// The instruction sets that the CPU's loops are compiled for, and what makes vectors of a loop in each: lanes of a
// fixed number, and leave to take its iterations side by side.

#pragma once

namespace fullgrad {

// A sum over channels is kept in this many partial sums, whatever the instruction set: it vectorises without leave to
// reorder, and gives the same bits on every machine.
inline constexpr int kLanes = 16;

// Compiled for several instruction sets, of which the machine's best is taken when the program starts. Everything
// called is compiled into it, so that all of the loop is. FULLGRAD_BASELINE leaves the others out, for sanitizers: they
// are not there yet when the program looks for the best.
#if defined(__x86_64__) && !defined(FULLGRAD_BASELINE) && defined(__GNUC__) && !defined(__clang__)
#define FULLGRAD_DISPATCHED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), flatten))
inline constexpr const char* kInstructionSets[] = {"x86-64-v4", "x86-64-v3", "baseline"};
#else
#define FULLGRAD_DISPATCHED
inline constexpr const char* kInstructionSets[] = {"baseline"};
#endif

// The loop's iterations touch different memory.
#if defined(__clang__)
#define FULLGRAD_NO_ALIAS _Pragma("clang loop vectorize(assume_safety)")
#else
#define FULLGRAD_NO_ALIAS _Pragma("GCC ivdep")
#endif

}  // namespace fullgrad
