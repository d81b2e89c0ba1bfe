#include "run.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "thread_pool.h"

namespace fullgrad::testing {
namespace {

// Each rounding is of half a unit in the last place; sums of a few thousand in lanes have some tens of them.
double tolerance(DataType map_type) { return map_type == DataType::kFloat64 ? 1e-13 : 3e-6; }

std::string to_string(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t size : shape) text += (text.empty() ? "(" : ", ") + std::to_string(size);
  return text + ")";
}

}  // namespace

void check(bool condition, const std::string& message) {
  if (condition) return;
  std::fprintf(stderr, "failed: %s\n", message.c_str());
  std::abort();
}

std::vector<char> run(const Problem& problem, const ParallelFor& parallel_for) {
  constexpr int kNaN = 0xff;
  constexpr size_t kAlignment = 64;
  const size_t bytes = saliency_cpu_workspace(problem);
  const std::unique_ptr<void, decltype(&std::free)> workspace(std::aligned_alloc(kAlignment, bytes), &std::free);
  check(workspace != nullptr, "no memory for a workspace of " + std::to_string(bytes) + " bytes");
  std::memset(workspace.get(), kNaN, bytes);
  std::vector<char> maps(problem.batch * positions(problem.target) * size_of(problem.map_type),
                         static_cast<char>(kNaN));
  saliency_cpu(problem, maps.data(), workspace.get(), parallel_for);
  return maps;
}

void one_thread(int64_t count, int64_t, const std::function<void(int64_t, int64_t)>& body) { body(0, count); }

double map_element(const Problem& problem, const std::vector<char>& maps, int64_t index) {
  return element({maps.data(), {}, problem.map_type}, index);
}

void check_close(const Problem& problem, const std::vector<char>& maps, const Expected& expected,
                 const std::string& message) {
  for (size_t i = 0; i < expected.maps.size(); ++i) {
    const double actual = map_element(problem, maps, static_cast<int64_t>(i));
    const double wanted = expected.maps[i];
    const bool close = std::isfinite(wanted)
                           ? std::fabs(actual - wanted) <= tolerance(problem.map_type) * expected.scale
                           : !std::isfinite(actual);
    if (close) continue;
    check(false, message + ": expected " + std::to_string(wanted) + " at " + std::to_string(i) + ", got " +
                     std::to_string(actual) + ", at a scale of " + std::to_string(expected.scale));
  }
}

Problem problem_of(const Terms& terms, const std::vector<int64_t>& size, const Options& options) {
  const bool wide = std::any_of(terms.gradients.begin(), terms.gradients.end(),
                                [](const Array& gradient) { return gradient.type == DataType::kFloat64; });
  Problem problem;
  const std::string error = make_problem(terms.gradients, terms.weights, size, options,
                                         wide ? DataType::kFloat64 : DataType::kFloat32, &problem);
  check(error.empty(), error);
  return problem;
}

std::vector<char> check_terms(const Terms& terms, const std::vector<int64_t>& size, const Options& options) {
  std::string message = to_string(options) + ", to " + to_string(size) + " from";
  for (const Array& gradient : terms.gradients) message += " " + to_string(gradient.shape);
  const Problem problem = problem_of(terms, size, options);
  const std::vector<char> maps = run(problem, one_thread);
  check_close(problem, maps, expected_maps(terms.gradients, terms.weights, size, options), message);
  static ThreadPool pools[] = {ThreadPool(2), ThreadPool(7), ThreadPool(64)};
  for (ThreadPool& pool : pools) {
    check(run(problem, pool.parallel_for()) == maps,
          message + ": other bits on " + std::to_string(pool.threads()) + " threads");
  }
  return maps;
}

std::vector<Options> every_mode() {
  std::vector<Options> modes;
  for (const Rectifier rectifier :
       {Rectifier::kAbsolute, Rectifier::kPositive, Rectifier::kNegative, Rectifier::kIdentity}) {
    for (const Rescale rescale : {Rescale::kNone, Rescale::kPerChannel, Rescale::kPerSample}) {
      for (const Channels channels : {Channels::kMean, Channels::kSum}) {
        for (const Resize resize : {Resize::kHalfPixel, Resize::kAlignedCorners}) {
          for (const Layout layout : {Layout::kChannelsLast, Layout::kChannelsFirst}) {
            modes.push_back({rectifier, rescale, channels, resize, layout});
          }
        }
      }
    }
  }
  return modes;
}

std::string to_string(const Options& options) {
  constexpr const char* kRectifiers[] = {"absolute", "positive", "negative", "identity"};
  constexpr const char* kRescales[] = {"none", "per channel", "per sample"};
  constexpr const char* kChannels[] = {"mean", "sum"};
  constexpr const char* kResizes[] = {"half pixel", "aligned corners"};
  constexpr const char* kLayouts[] = {"channels last", "channels first"};
  return std::string(kRectifiers[static_cast<int>(options.rectifier)]) + ", " +
         kRescales[static_cast<int>(options.rescale)] + ", " + kChannels[static_cast<int>(options.channels)] + ", " +
         kResizes[static_cast<int>(options.resize)] + ", " + kLayouts[static_cast<int>(options.layout)];
}

}  // namespace fullgrad::testing
