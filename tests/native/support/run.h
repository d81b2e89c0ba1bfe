// Runs the core, and holds it to the oracle.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/saliency.h"
#include "oracle.h"
#include "terms.h"

namespace fullgrad::testing {

inline constexpr DataType kEveryType[] = {DataType::kFloat16, DataType::kBFloat16, DataType::kFloat32,
                                          DataType::kFloat64};

// Prints the message and ends the program where the condition does not hold.
void check(bool condition, const std::string& message);

// The maps' bytes. They and the workspace hold NaN before, and are of just their size.
std::vector<char> run(const Problem& problem, const ParallelFor& parallel_for);

// One unit after the other.
void one_thread(int64_t count, int64_t bytes, const std::function<void(int64_t, int64_t)>& body);

// Element `index` of the maps.
double map_element(const Problem& problem, const std::vector<char>& maps, int64_t index);

// Every value is what is expected, but for rounding relative to its scale; what is not finite stays so.
void check_close(const Problem& problem, const std::vector<char>& maps, const Expected& expected,
                 const std::string& message);

// What make_problem() makes of terms and options; float64 maps where a gradient is of float64.
Problem problem_of(const Terms& terms, const std::vector<int64_t>& size, const Options& options);

// The maps, which are the oracle's, and have the same bits on 1, 2, 7 and 64 threads.
std::vector<char> check_terms(const Terms& terms, const std::vector<int64_t>& size, const Options& options);

// Every combination of options.
std::vector<Options> every_mode();

std::string to_string(const Options& options);

}  // namespace fullgrad::testing
