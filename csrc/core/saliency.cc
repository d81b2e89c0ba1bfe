#include "saliency.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "names.h"

namespace fullgrad {
namespace {

using Sizes = std::vector<int64_t>::const_iterator;

bool are_axes(Sizes begin, Sizes end) {
  return std::all_of(begin, end, [](int64_t size) { return size >= 1 && size <= kLongestAxis; });
}

Extent extent_of(Sizes begin, Sizes end) {
  Extent extent = {1, 1, 1};
  std::copy(begin, end, extent.end() - (end - begin));
  return extent;
}

// Not exact, and never too large to be counted. An empty batch counts as one image, whose positions are multiplied too.
double count(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), 1.0,
                         [](double product, int64_t size) { return product * std::max<int64_t>(size, 1); });
}

// Fills in a term of the problem, which has all but its terms. Returns what is wrong with it, or nothing.
std::string describe(const Array& gradient, const Array& weight, int spatial_rank, const Problem& problem, Term* term) {
  const bool last = problem.options.layout == Layout::kChannelsLast;
  const std::vector<int64_t>& shape = gradient.shape;
  if (static_cast<int>(shape.size()) != spatial_rank + 2) {
    return "expected a gradient of rank " + std::to_string(spatial_rank + 2) +
           (last ? " (batch, space, channels)" : " (batch, channels, space)") + " for a target of " +
           std::to_string(spatial_rank) + " dimensions, got shape " + to_string(shape);
  }
  const auto space = shape.begin() + (last ? 1 : 2);
  const int64_t channels = last ? shape.back() : shape[1];
  if (shape[0] < 0 || channels < 1 || !are_axes(space, space + spatial_rank)) {
    return "expected at least one position and one channel, and at most " + std::to_string(kLongestAxis) +
           " positions along each axis, got a gradient of shape " + to_string(shape);
  }
  if (shape[0] != problem.batch) {
    return "expected the batch of term 0, " + std::to_string(problem.batch) + ", got " + std::to_string(shape[0]);
  }
  term->gradient = gradient.data;
  term->gradient_type = gradient.type;
  term->channels = channels;
  term->extent = extent_of(space, space + spatial_rank);

  term->weight = weight.data;
  term->weight_type = weight.type;
  term->weight_per_channel = weight.shape.size() == 1;
  if (term->weight_per_channel ? weight.shape[0] != channels : weight.shape != shape) {
    return "expected a weight of shape (" + std::to_string(channels) + ") or of the gradient's shape " +
           to_string(shape) + ", got " + to_string(weight.shape);
  }
  if (!term->weight_per_channel && weight.type != gradient.type) {
    return "expected a weight of the gradient's type where it has the gradient's shape";
  }
  const bool half = gradient.type == DataType::kFloat16 || gradient.type == DataType::kBFloat16;
  if (problem.map_type == DataType::kFloat64 ? half : gradient.type == DataType::kFloat64) {
    return "expected float32 or float64 gradients for float64 maps, and no float64 gradient for float32 maps";
  }
  return "";
}

}  // namespace

bool parse(std::string_view name, Rectifier* value) {
  static constexpr std::pair<std::string_view, Rectifier> kNames[] = {{"absolute", Rectifier::kAbsolute},
                                                                      {"positive", Rectifier::kPositive},
                                                                      {"negative", Rectifier::kNegative},
                                                                      {"identity", Rectifier::kIdentity}};
  return find(name, kNames, value);
}

bool parse(std::string_view name, Rescale* value) {
  static constexpr std::pair<std::string_view, Rescale> kNames[] = {
      {"none", Rescale::kNone}, {"per_channel", Rescale::kPerChannel}, {"per_sample", Rescale::kPerSample}};
  return find(name, kNames, value);
}

bool parse(std::string_view name, Channels* value) {
  static constexpr std::pair<std::string_view, Channels> kNames[] = {{"mean", Channels::kMean},
                                                                     {"sum", Channels::kSum}};
  return find(name, kNames, value);
}

bool parse(std::string_view name, Resize* value) {
  static constexpr std::pair<std::string_view, Resize> kNames[] = {{"half_pixel", Resize::kHalfPixel},
                                                                   {"aligned_corners", Resize::kAlignedCorners}};
  return find(name, kNames, value);
}

bool parse(std::string_view name, Layout* value) {
  static constexpr std::pair<std::string_view, Layout> kNames[] = {{"channels_last", Layout::kChannelsLast},
                                                                   {"channels_first", Layout::kChannelsFirst}};
  return find(name, kNames, value);
}

std::string make_problem(const std::vector<Array>& gradients, const std::vector<Array>& weights,
                         const std::vector<int64_t>& size, const Options& options, DataType map_type,
                         Problem* problem) {
  if (gradients.empty() && weights.empty()) return "expected at least one term, got none";
  if (gradients.size() != weights.size()) {
    return "expected one weight for each gradient, got " + std::to_string(gradients.size()) + " gradients and " +
           std::to_string(weights.size()) + " weights";
  }
  if (size.empty() || size.size() > kMaxSpatialRank) {
    return "expected a size of 1 to " + std::to_string(kMaxSpatialRank) + " spatial dimensions, got " +
           std::to_string(size.size());
  }
  if (!are_axes(size.begin(), size.end())) {
    return "expected a target size of at least 1 along each axis, and at most " + std::to_string(kLongestAxis) +
           ", got " + to_string(size);
  }
  *problem = Problem();
  problem->batch = gradients[0].shape.empty() ? 0 : gradients[0].shape[0];
  problem->target = extent_of(size.begin(), size.end());
  problem->options = options;
  problem->map_type = map_type;
  double elements = count(size) * count({problem->batch});
  for (size_t i = 0; i < gradients.size(); ++i) {
    Term term;
    const std::string error = describe(gradients[i], weights[i], static_cast<int>(size.size()), *problem, &term);
    if (!error.empty()) return "term " + std::to_string(i) + ": " + error;
    problem->terms.push_back(term);
    elements += count(gradients[i].shape);
  }
  if (elements > kMostElements) {
    return "expected at most " + std::to_string(kMostElements) + " elements in all gradients and maps, got more";
  }
  return "";
}

}  // namespace fullgrad
