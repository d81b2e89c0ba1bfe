// The CPU path in one type of arithmetic. Each type is compiled in a file of its own, so that two compilers share the
// work.

#pragma once

#include <cstddef>

#include "saliency.h"

namespace fullgrad {

template <class Real>
size_t workspace_of(const Problem& problem);

template <class Real>
void run(const Problem& problem, void* maps, void* workspace, const ParallelFor& parallel_for);

}  // namespace fullgrad
