#include "saliency.h"

#include <algorithm>
#include <utility>

namespace fullgrad {
namespace {

template <class Enum, size_t N>
bool find(std::string_view name, const std::pair<std::string_view, Enum> (&names)[N], Enum* value) {
  for (const auto& [known, meaning] : names) {
    if (known == name) {
      *value = meaning;
      return true;
    }
  }
  return false;
}

std::string to_string(const std::vector<int64_t>& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + ")";
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

std::string set_shape(Term* term, const std::vector<int64_t>& gradient, const std::vector<int64_t>& weight,
                      int spatial_rank, Layout layout) {
  const bool last = layout == Layout::kChannelsLast;
  if (static_cast<int>(gradient.size()) != spatial_rank + 2) {
    return "expected a gradient of rank " + std::to_string(spatial_rank + 2) +
           (last ? " (batch, space, channels)" : " (batch, channels, space)") + " for a target of " +
           std::to_string(spatial_rank) + " dimensions, got shape " + to_string(gradient);
  }
  if (std::any_of(gradient.begin() + 1, gradient.end(), [](int64_t size) { return size < 1; })) {
    return "expected at least one position and one channel, got a gradient of shape " + to_string(gradient);
  }
  term->channels = last ? gradient.back() : gradient[1];
  term->extent = {1, 1, 1};
  const auto space = gradient.begin() + (last ? 1 : 2);
  std::copy(space, space + spatial_rank, term->extent.end() - spatial_rank);

  term->weight_per_channel = weight.size() == 1;
  if (term->weight_per_channel ? weight[0] != term->channels : weight != gradient) {
    return "expected a weight of shape (" + std::to_string(term->channels) + ") or of the gradient's shape " +
           to_string(gradient) + ", got " + to_string(weight);
  }
  return "";
}

std::string find_error(const Problem& problem) {
  if (problem.terms.empty()) return "expected at least one term, got none";
  if (positions(problem.target) < 1 ||
      std::any_of(problem.target.begin(), problem.target.end(), [](int64_t size) { return size < 1; })) {
    return "expected a target size of at least 1 along each axis, got " +
           to_string({problem.target.begin(), problem.target.end()}) + " (depth, height, width)";
  }
  for (size_t i = 0; i < problem.terms.size(); ++i) {
    const Term& term = problem.terms[i];
    const std::string name = "term " + std::to_string(i) + ": ";
    if (!term.weight_per_channel && term.weight_type != term.gradient_type) {
      return name + "expected a weight of the gradient's type where it has the gradient's shape";
    }
    const bool half = term.gradient_type == DataType::kFloat16 || term.gradient_type == DataType::kBFloat16;
    if (problem.map_type == DataType::kFloat64 ? half : term.gradient_type == DataType::kFloat64) {
      return name + "expected float32 or float64 gradients for float64 maps, and no float64 gradient for float32 maps";
    }
  }
  return "";
}

}  // namespace fullgrad
