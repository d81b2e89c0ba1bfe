// What make_problem() refuses, and what it takes at the edge.

#include <limits>

#include "support/run.h"

using namespace fullgrad;
using namespace fullgrad::testing;

namespace {

constexpr DataType kFloat = DataType::kFloat32, kDouble = DataType::kFloat64, kHalf = DataType::kFloat16;

Array shaped(const std::vector<int64_t>& shape, DataType type = kFloat) { return {nullptr, shape, type}; }

struct Case {
  std::vector<Array> gradients, weights;
  std::vector<int64_t> size;
  DataType map_type;
  std::string message;
};

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

const Case kRefused[] = {
    {{}, {}, {4, 4}, kFloat, "expected at least one term, got none"},
    {{shaped({2, 4, 4, 3})},
     {},
     {4, 4},
     kFloat,
     "expected one weight for each gradient, got 1 gradients and 0 weights"},
    {{shaped({2, 4, 4, 3})}, {shaped({3})}, {}, kFloat, "expected a size of 1 to 3 spatial dimensions, got 0"},
    {{shaped({2, 4, 4, 3})},
     {shaped({3})},
     {1, 1, 1, 1},
     kFloat,
     "expected a size of 1 to 3 spatial dimensions, got 4"},
    {{shaped({2, 4, 4, 3})}, {shaped({3})}, {0, 4}, kFloat, "at least 1 along each axis"},
    {{shaped({2, 4, 4, 3})}, {shaped({3})}, {4, -4}, kFloat, "at least 1 along each axis"},
    {{shaped({2, 4, 4, 3})}, {shaped({3})}, {4, kLongestAxis + 1}, kFloat, "at most 2147483647, got (4, 2147483648)"},
    {{shaped({})}, {shaped({3})}, {4, 4}, kFloat, "term 0: expected a gradient of rank 4"},
    {{shaped({2, 4, 3})}, {shaped({3})}, {4, 4}, kFloat, "term 0: expected a gradient of rank 4"},
    {{shaped({2, 0, 4, 3})}, {shaped({3})}, {4, 4}, kFloat, "term 0: expected at least one position and one channel"},
    {{shaped({2, 4, 4, 0})}, {shaped({0})}, {4, 4}, kFloat, "term 0: expected at least one position and one channel"},
    {{shaped({-1, 4, 4, 3})}, {shaped({3})}, {4, 4}, kFloat, "term 0: expected at least one position and one channel"},
    {{shaped({2, kMost, 4, 3})}, {shaped({3})}, {4, 4}, kFloat, "at most 2147483647 positions along each axis"},
    {{shaped({2, 4, 4, 3}), shaped({1, 4, 4, 3})},
     {shaped({3}), shaped({3})},
     {4, 4},
     kFloat,
     "term 1: expected the batch of term 0, 2, got 1"},
    {{shaped({2, 4, 4, 3})},
     {shaped({2})},
     {4, 4},
     kFloat,
     "term 0: expected a weight of shape (3) or of the gradient's shape (2, 4, 4, 3), got (2)"},
    {{shaped({2, 4, 4, 3})}, {shaped({})}, {4, 4}, kFloat, "got ()"},
    {{shaped({2, 4, 4, 3})}, {shaped({2, 4, 4, 3}, kHalf)}, {4, 4}, kFloat, "a weight of the gradient's type"},
    {{shaped({2, 4, 4, 3}, kDouble)}, {shaped({3})}, {4, 4}, kFloat, "no float64 gradient for float32 maps"},
    {{shaped({2, 4, 4, 3}, kHalf)}, {shaped({3})}, {4, 4}, kDouble, "float32 or float64 gradients for float64 maps"},
    // Products of these do not fit 64 bits.
    {{shaped({2, 1, 1, 1, 1})},
     {shaped({1})},
     {kLongestAxis, kLongestAxis, kLongestAxis},
     kFloat,
     "at most 281474976710656 elements"},
    {{shaped({kMost, 4, 4, 3})}, {shaped({3})}, {4, 4}, kFloat, "at most 281474976710656 elements"},
    {{shaped({2, 4, 4, kMost})}, {shaped({kMost})}, {4, 4}, kFloat, "at most 281474976710656 elements"},
    {{shaped({0, kLongestAxis, kLongestAxis, kMost})},
     {shaped({kMost})},
     {4, 4},
     kFloat,
     "at most 281474976710656 elements"},
};

void wrong_problems_are_refused() {
  for (const Case& wrong : kRefused) {
    Problem problem;
    const std::string error = make_problem(wrong.gradients, wrong.weights, wrong.size, {}, wrong.map_type, &problem);
    check(error.find(wrong.message) != std::string::npos, "expected '" + wrong.message + "', got '" + error + "'");
  }
}

void an_empty_batch_has_empty_maps() {
  Terms terms;
  terms.add({0, 4, 4, 3}, kFloat, {3}, kFloat, [] { return 1; });
  check(run(problem_of(terms, {5, 6}, {}), one_thread).empty(), "expected no maps");
}

// Planned without a byte of it.
void the_largest_problem_is_counted() {
  Problem problem;
  const std::string error =
      make_problem({shaped({1, 1, 1, 1})}, {shaped({1})}, {1 << 24, (1 << 24) - 1}, {}, kFloat, &problem);
  check(error.empty(), error);
  const size_t maps = size_t{(1 << 24) - 1} << 24 << 2;
  check(saliency_cpu_workspace(problem) / 2 < maps, "expected a workspace in proportion to the maps");
}

void names_of_options_are_parsed() {
  Rescale rescale;
  check(parse("per_sample", &rescale) && rescale == Rescale::kPerSample, "per_sample");
  Layout layout;
  check(!parse("NHWC", &layout), "NHWC");
  check(instruction_sets().back() == "baseline", "baseline");
}

}  // namespace

int main() {
  wrong_problems_are_refused();
  an_empty_batch_has_empty_maps();
  the_largest_problem_is_counted();
  names_of_options_are_parsed();
}
