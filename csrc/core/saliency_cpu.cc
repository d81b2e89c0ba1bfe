// The CPU path's doors.

#include "saliency_cpu.h"

#include <iterator>
#include <string>
#include <vector>

#include "cpu_instructions.h"
#include "saliency.h"

namespace fullgrad {

std::vector<std::string> instruction_sets() { return {std::begin(kInstructionSets), std::end(kInstructionSets)}; }

size_t saliency_cpu_workspace(const Problem& problem) {
  if (problem.batch == 0) return 0;
  return problem.map_type == DataType::kFloat64 ? workspace_of<double>(problem) : workspace_of<float>(problem);
}

void saliency_cpu(const Problem& problem, void* maps, void* workspace, const ParallelFor& parallel_for) {
  if (problem.batch == 0) return;
  const auto in_type = problem.map_type == DataType::kFloat64 ? run<double> : run<float>;
  in_type(problem, maps, workspace, parallel_for);
}

}  // namespace fullgrad
