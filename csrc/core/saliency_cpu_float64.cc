#include "cpu_saliency.h"

namespace fullgrad {

template size_t workspace_of<double>(const Problem&);
template void run<double>(const Problem&, void*, void*, const ParallelFor&);

}  // namespace fullgrad
