#include "oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "terms.h"

namespace fullgrad::testing {
namespace {

// A source position, and how much of it a target position takes.
struct Part {
  int64_t source;
  double weight;
};

std::vector<Part> parts_along_axis(int64_t target, int64_t target_size, int64_t source_size, Resize resize) {
  double position;
  if (resize == Resize::kHalfPixel) {
    position = (target + 0.5) * source_size / target_size - 0.5;
  } else {
    position = target_size > 1 ? static_cast<double>(target) * (source_size - 1) / (target_size - 1) : 0;
  }
  position = std::clamp(position, 0.0, source_size - 1.0);
  // What lies on a position takes nothing of its neighbour, not even a NaN.
  const double nearest = std::round(position);
  if (std::fabs(position - nearest) < 1e-9) return {{static_cast<int64_t>(nearest), 1}};
  const double below = std::floor(position);
  const auto source = static_cast<int64_t>(below);
  return {{source, 1 - (position - below)}, {source + 1, position - below}};
}

// For each target position what it takes of which position of the source.
std::vector<std::vector<Part>> resize_parts(const std::vector<int64_t>& source, const std::vector<int64_t>& target,
                                            Resize resize) {
  std::vector<std::vector<Part>> parts = {{{0, 1}}};
  for (size_t axis = 0; axis < target.size(); ++axis) {
    std::vector<std::vector<Part>> finer;
    for (const std::vector<Part>& outer : parts) {
      for (int64_t p = 0; p < target[axis]; ++p) {
        std::vector<Part>& both = finer.emplace_back();
        for (const Part& coarse : outer) {
          for (const Part& along : parts_along_axis(p, target[axis], source[axis], resize)) {
            both.push_back({coarse.source * source[axis] + along.source, coarse.weight * along.weight});
          }
        }
      }
    }
    parts = std::move(finer);
  }
  return parts;
}

double rectify(double t, Rectifier rectifier) {
  if (std::isnan(t)) return t;
  if (rectifier == Rectifier::kAbsolute) return std::fabs(t);
  if (rectifier == Rectifier::kPositive) return std::max(t, 0.0);
  if (rectifier == Rectifier::kNegative) return std::min(t, 0.0);
  return t;
}

struct Range {
  double min = std::numeric_limits<double>::infinity();
  double max = -std::numeric_limits<double>::infinity();

  void include(double t) {
    min = std::isnan(t) || t < min ? t : min;
    max = std::isnan(t) || t > max ? t : max;
  }
};

double rescale(double t, Range range, Rescale mode) {
  if (mode == Rescale::kNone) return t;
  const double width = range.max - range.min;
  if (mode == Rescale::kPerSample) return (t - range.min) / (width + 1e-6);
  return width == 0 ? 0 : (t - range.min) / width;
}

// Of one image, [channel][position].
std::vector<std::vector<double>> rescaled_term(const Array& gradient, const Array& weight, int64_t image,
                                               int64_t channels, int64_t positions, const Options& options) {
  std::vector<std::vector<double>> term(channels, std::vector<double>(positions));
  std::vector<Range> ranges(channels);
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t p = 0; p < positions; ++p) {
      const int64_t inside = options.layout == Layout::kChannelsLast ? p * channels + c : c * positions + p;
      const int64_t at = image * channels * positions + inside;
      const double factor = element(weight, weight.shape.size() == 1 ? c : at);
      term[c][p] = rectify(factor * element(gradient, at), options.rectifier);
      ranges[options.rescale == Rescale::kPerSample ? 0 : c].include(term[c][p]);
    }
  }
  for (int64_t c = 0; c < channels; ++c) {
    for (double& t : term[c]) t = rescale(t, ranges[options.rescale == Rescale::kPerSample ? 0 : c], options.rescale);
  }
  return term;
}

}  // namespace

Expected expected_maps(const std::vector<Array>& gradients, const std::vector<Array>& weights,
                       const std::vector<int64_t>& size, const Options& options) {
  const bool last = options.layout == Layout::kChannelsLast;
  const int64_t batch = gradients[0].shape[0];
  int64_t pixels = 1;
  for (const int64_t axis : size) pixels *= axis;
  Expected expected = {std::vector<double>(batch * pixels), 0};
  std::vector<double> magnitudes(batch * pixels);
  for (size_t i = 0; i < gradients.size(); ++i) {
    const std::vector<int64_t>& shape = gradients[i].shape;
    const std::vector<int64_t> space(shape.begin() + (last ? 1 : 2), shape.end() - (last ? 1 : 0));
    const int64_t channels = last ? shape.back() : shape[1];
    int64_t positions = 1;
    for (const int64_t axis : space) positions *= axis;
    const std::vector<std::vector<Part>> parts = resize_parts(space, size, options.resize);
    const double factor = options.channels == Channels::kMean ? 1.0 / channels : 1.0;
    for (int64_t image = 0; image < batch; ++image) {
      for (const auto& channel : rescaled_term(gradients[i], weights[i], image, channels, positions, options)) {
        for (int64_t p = 0; p < pixels; ++p) {
          for (const Part& part : parts[p]) {
            const double t = factor * part.weight * channel[part.source];
            expected.maps[image * pixels + p] += t;
            magnitudes[image * pixels + p] += std::isfinite(t) ? std::fabs(t) : 0;
          }
        }
      }
    }
  }
  for (const double magnitude : magnitudes) expected.scale = std::max(expected.scale, magnitude);
  return expected;
}

}  // namespace fullgrad::testing
