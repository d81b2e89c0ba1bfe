// Values that are not like others: NaN, infinity, the ends of each type.

#include <cmath>
#include <cstring>
#include <limits>

#include "support/run.h"

using namespace fullgrad;
using namespace fullgrad::testing;

namespace {

void nan_and_infinity_stay_where_they_are() {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const Options& options : every_mode()) {
    for (const double special : {std::nan(""), infinity, -infinity}) {
      for (const int64_t channels : {3, 37}) {
        Steps steps(5);
        int64_t left = 100;  // The value that is special, counted from the first.
        const auto draw = [&] { return left-- == 0 ? special : steps(); };
        Terms terms;
        for (int i = 0; i < 2; ++i) {
          const std::vector<int64_t> shape = shape_of(2, {6, 5}, channels, options.layout);
          terms.add(shape, DataType::kFloat32, {channels}, DataType::kFloat32, draw);
        }
        check_terms(terms, {11, 7}, options);
      }
    }
  }
}

// Zero times infinity is NaN, whatever the other values of the channel are.
void infinite_weights_meet_zeros() {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const Options& options : every_mode()) {
    for (const double weight : {infinity, -infinity}) {
      constexpr int64_t kChannels = 8, kPositions = 9;
      Steps steps(7);
      int64_t drawn = 0;
      const auto draw = [&] {
        const int64_t index = drawn++;
        if (index >= kChannels * kPositions) return index % 2 ? weight : steps();
        return index % 5 ? steps() : 0;
      };
      Terms terms;
      terms.add(shape_of(1, {kPositions}, kChannels, options.layout), DataType::kFloat32, {kChannels},
                DataType::kFloat32, draw);
      check_terms(terms, {12}, options);
    }
  }
}

void sixteen_bits_keep_every_value() {
  constexpr int64_t kCount = 1 << 16;
  std::vector<uint16_t> bits(kCount);
  for (int64_t i = 0; i < kCount; ++i) bits[i] = static_cast<uint16_t>(i);
  const float one = 1;
  Options options;
  options.rectifier = Rectifier::kIdentity;
  for (const DataType type : {DataType::kFloat16, DataType::kBFloat16}) {
    const Array gradient = {bits.data(), {1, kCount, 1}, type};
    Problem problem;
    const std::string error =
        make_problem({gradient}, {{&one, {1}, DataType::kFloat32}}, {kCount}, options, DataType::kFloat32, &problem);
    check(error.empty(), error);
    const std::vector<char> maps = run(problem, one_thread);
    for (int64_t i = 0; i < kCount; ++i) {
      const double wanted = element(gradient, i), actual = map_element(problem, maps, i);
      check(std::isnan(wanted) ? std::isnan(actual) : wanted == actual, "bits " + std::to_string(i));
    }
  }
}

// A range that is nothing beside its values: steps of 1 / 128 around 4096.
void small_ranges_are_kept() {
  for (const Options& options : every_mode()) {
    Steps steps(6);
    Terms terms;
    const std::vector<int64_t> shape = shape_of(2, {9, 7}, 20, options.layout);
    terms.add(shape, DataType::kFloat32, {20}, DataType::kFloat32, [] { return 1; });
    terms.add(shape, DataType::kFloat32, shape, DataType::kFloat32, [] { return 1; });
    Terms near;
    near.add(shape, DataType::kFloat32, {20}, DataType::kFloat32, [&] { return 4096 + std::round(steps()) / 128; });
    terms.gradients = {near.gradients[0], near.gradients[0]};
    check_terms(terms, {9, 7}, options);
  }
}

}  // namespace

int main() {
  nan_and_infinity_stay_where_they_are();
  infinite_weights_meet_zeros();
  sixteen_bits_keep_every_value();
  small_ranges_are_kept();
}
