// The contract of the core: what a term is, what the options mean, and the calls that turn terms into maps.
//
//   M[b, p] = sum over terms of resize( reduce over channels( rescale( rectify( weight * gradient ) ) ) )[b, p]
//
// The resize is linear, so channels are reduced first and terms of one extent are summed before they are resized.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

// What the shared library of the core shows; all else stays inside.
#define FULLGRAD_API __attribute__((visibility("default")))

namespace fullgrad {

enum class DataType { kFloat16, kBFloat16, kFloat32, kFloat64 };

constexpr int64_t size_of(DataType type) {
  if (type == DataType::kFloat64) return 8;
  return type == DataType::kFloat32 ? 4 : 2;
}

enum class Rectifier { kAbsolute, kPositive, kNegative, kIdentity };

// kPerChannel: (t - min) / (max - min) over the positions of one image and channel, 0 where max = min.
// kPerSample:  (t - min) / (max - min + 1e-6) over the positions and channels of one image.
enum class Rescale { kNone, kPerChannel, kPerSample };

enum class Channels { kMean, kSum };

enum class Resize { kHalfPixel, kAlignedCorners };

enum class Layout { kChannelsLast, kChannelsFirst };

struct Options {
  Rectifier rectifier = Rectifier::kAbsolute;
  Rescale rescale = Rescale::kNone;
  Channels channels = Channels::kMean;
  Resize resize = Resize::kHalfPixel;
  Layout layout = Layout::kChannelsLast;
};

// Each reads the option's name in snake case ("per_channel"); false where there is no such option.
FULLGRAD_API bool parse(std::string_view name, Rectifier* value);
FULLGRAD_API bool parse(std::string_view name, Rescale* value);
FULLGRAD_API bool parse(std::string_view name, Channels* value);
FULLGRAD_API bool parse(std::string_view name, Resize* value);
FULLGRAD_API bool parse(std::string_view name, Layout* value);

inline constexpr int kMaxSpatialRank = 3;

// Depth, height, width. A series has only a width, an image a height and a width; what is missing is 1.
using Extent = std::array<int64_t, kMaxSpatialRank>;

inline int64_t positions(const Extent& extent) { return extent[0] * extent[1] * extent[2]; }

struct Term {
  const void* gradient = nullptr;  // (batch, extent, channels), or (batch, channels, extent)
  const void* weight = nullptr;    // (channels,), or the gradient's shape
  DataType gradient_type = DataType::kFloat32;
  DataType weight_type = DataType::kFloat32;  // the gradient's own where the weight has its shape
  bool weight_per_channel = true;
  int64_t channels = 0;
  Extent extent = {1, 1, 1};
};

struct Problem {
  std::vector<Term> terms;
  int64_t batch = 0;
  Extent target = {1, 1, 1};
  Options options;
  // Of the maps and of all arithmetic: kFloat64 where a gradient is of float64, kFloat32 elsewhere.
  DataType map_type = DataType::kFloat32;
};

// A tensor as its owner knows it.
struct Array {
  const void* data = nullptr;
  std::vector<int64_t> shape;
  DataType type = DataType::kFloat32;
};

// So that no product of sizes overflows, whatever they are: more elements than any machine holds, and longer axes than
// TensorFlow's sizes can name.
inline constexpr int64_t kMostElements = int64_t{1} << 48;
inline constexpr int64_t kLongestAxis = (int64_t{1} << 31) - 1;

// Describes the problem of terms, of one weight for each gradient, and maps of `size`, which has 1 to 3 dimensions.
// Returns what was expected and what came, or nothing where all is well; looks at no element.
FULLGRAD_API std::string make_problem(const std::vector<Array>& gradients, const std::vector<Array>& weights,
                                      const std::vector<int64_t>& size, const Options& options, DataType map_type,
                                      Problem* problem);

// Runs body(begin, end) over pieces of [0, count), on any number of threads, and returns once all are done.
// `bytes` is about what one of the `count` units reads.
using ParallelFor =
    std::function<void(int64_t count, int64_t bytes, const std::function<void(int64_t begin, int64_t end)>& body)>;

// Bytes of scratch memory that saliency_cpu() needs, aligned to 64.
FULLGRAD_API size_t saliency_cpu_workspace(const Problem& problem);

// Writes the maps, (batch, target), of problem.map_type. The problem is of make_problem(); its result does not depend
// on how `parallel_for` cuts the work.
FULLGRAD_API void saliency_cpu(const Problem& problem, void* maps, void* workspace, const ParallelFor& parallel_for);

// The instruction sets that the CPU path is compiled for, best first.
FULLGRAD_API std::vector<std::string> instruction_sets();

}  // namespace fullgrad
