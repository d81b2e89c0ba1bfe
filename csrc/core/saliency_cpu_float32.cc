#include "cpu_saliency.h"

namespace fullgrad {

template size_t workspace_of<float>(const Problem&);
template void run<float>(const Problem&, void*, void*, const ParallelFor&);

}  // namespace fullgrad
