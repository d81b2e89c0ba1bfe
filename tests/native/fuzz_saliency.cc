// Bytes to a problem: it is refused, or its maps are the oracle's, whatever the sizes, types and values.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <numeric>

#include "support/run.h"
#include "support/thread_pool.h"

using namespace fullgrad;
using namespace fullgrad::testing;

namespace {

// Reads a byte after the other, and zeros beyond the end.
class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}
  uint8_t next() { return at_ == end_ ? 0 : *at_++; }
  int below(int count) { return next() % count; }

 private:
  const uint8_t *at_, *end_;
};

int64_t read_size(Bytes* bytes) {
  constexpr int64_t kOdd[] = {64,
                              129,
                              255,
                              1025,
                              (int64_t{1} << 31) - 1,
                              int64_t{1} << 31,
                              (int64_t{1} << 32) + 3,
                              int64_t{1} << 40,
                              int64_t{1} << 62,
                              std::numeric_limits<int64_t>::max(),
                              -1,
                              std::numeric_limits<int64_t>::min()};
  constexpr int kSmall = 20;
  const int byte = bytes->next();
  const int odd = 255 - byte;
  return odd < static_cast<int>(std::size(kOdd)) ? kOdd[odd] : byte % kSmall;
}

// Values from a seed. Some are odd: none, a few or many.
std::function<double()> read_values(Bytes* bytes) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  static constexpr double kOdd[] = {
      std::numeric_limits<double>::quiet_NaN(), kInfinity, -kInfinity, 0, -0.0, 61440, -61440, 0x1p-20};
  constexpr uint64_t kOddIn256[] = {0, 1, 16, 128};
  const uint64_t odd = kOddIn256[bytes->below(4)];
  const uint64_t used = 1 + bytes->below(8);  // The first so many of them.
  return [=, steps = Steps(bytes->next())]() mutable {
    const uint64_t bits = steps.bits();
    return bits % 256 < odd ? kOdd[bits / 256 % used] : steps();
  };
}

DataType read_type(Bytes* bytes) { return kEveryType[bytes->below(4)]; }

// Shapes that mostly fit each other: one in so many choices is made anew.
struct Shapes {
  std::vector<std::vector<int64_t>> gradients, weights;
  std::vector<DataType> gradient_types, weight_types;
};

constexpr int kSeldom = 32;

Shapes read_shapes(Bytes* bytes, size_t rank, Layout layout) {
  Shapes shapes;
  const int64_t batch = bytes->below(kSeldom) ? 1 + bytes->below(3) : read_size(bytes);
  const int count = bytes->below(6);
  DataType type = read_type(bytes);
  std::vector<int64_t> space(rank);
  for (int i = 0; i < count; ++i) {
    const int choice = bytes->next();
    if (choice % 4 || i == 0) {
      for (int64_t& axis : space) axis = read_size(bytes);
    }
    if (choice % 5 == 0) type = read_type(bytes);
    const int64_t channels = read_size(bytes);
    std::vector<int64_t> shape = shape_of(choice == kSeldom ? read_size(bytes) : batch, space, channels, layout);
    if (choice == kSeldom + 1) shape.resize(bytes->below(7), 1);
    std::vector<int64_t> weight = choice & 64 ? shape : std::vector<int64_t>{channels};
    if (choice == kSeldom + 2) weight.resize(bytes->below(7), 1);
    shapes.gradients.push_back(shape);
    shapes.weights.push_back(weight);
    shapes.gradient_types.push_back(type);
    shapes.weight_types.push_back(choice & 64 && choice & 63 ? type : read_type(bytes));
  }
  if (count && !bytes->below(kSeldom)) {
    shapes.weights.pop_back();
    shapes.weight_types.pop_back();
  }
  return shapes;
}

Options read_options(Bytes* bytes) {
  static const std::vector<Options> kModes = every_mode();
  return kModes[bytes->below(static_cast<int>(kModes.size()))];
}

std::vector<Array> without_memory(const std::vector<std::vector<int64_t>>& shapes, const std::vector<DataType>& types) {
  std::vector<Array> arrays;
  for (size_t i = 0; i < shapes.size(); ++i) arrays.push_back({nullptr, shapes[i], types[i]});
  return arrays;
}

// Of a problem that was not refused: none of these overflows.
int64_t count(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<int64_t>());
}

// What the shapes explain: some bytes for each element, for each column of a map and extent, and for each term and
// image.
void check_workspace(const Problem& problem) {
  const double bytes = static_cast<double>(saliency_cpu_workspace(problem));
  const double batch = static_cast<double>(problem.batch), terms = static_cast<double>(problem.terms.size());
  double elements = batch * static_cast<double>(positions(problem.target));
  for (const Term& term : problem.terms) {
    elements += batch * static_cast<double>(term.channels) * static_cast<double>(positions(term.extent));
    elements += static_cast<double>(term.channels);  // Its weights.
  }
  const double columns = terms * static_cast<double>(problem.target[2]);
  check(bytes <= 64 * elements + 24 * columns + 1024 * terms * (batch + 1), "a workspace of " + std::to_string(bytes));
}

// Pieces of any length, the last first.
ParallelFor in_pieces(int64_t length) {
  return [length](int64_t count, int64_t, const std::function<void(int64_t, int64_t)>& body) {
    for (int64_t end = count; end > 0; end -= length) body(std::max<int64_t>(0, end - length), end);
  };
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Elements of a gradient for which a plan is made, and for which it is run; what the oracle has to resize.
  constexpr int64_t kMostPlanned = 1 << 20, kMostRun = 1 << 12, kMostWork = 1 << 14;

  Bytes bytes(data, size);
  const Options options = read_options(&bytes);
  const size_t rank = bytes.below(kSeldom) ? 1 + bytes.below(3) : bytes.below(6);
  std::vector<int64_t> target(rank);
  for (int64_t& axis : target) axis = read_size(&bytes);
  const Shapes shapes = read_shapes(&bytes, rank, options.layout);
  const std::vector<DataType>& types = shapes.gradient_types;
  const bool wide = std::count(types.begin(), types.end(), DataType::kFloat64);
  const DataType map_type = wide != !bytes.below(kSeldom) ? DataType::kFloat64 : DataType::kFloat32;

  Problem problem;
  const std::string error =
      make_problem(without_memory(shapes.gradients, shapes.gradient_types),
                   without_memory(shapes.weights, shapes.weight_types), target, options, map_type, &problem);
  if (!error.empty()) return 0;
  int64_t most = 0;
  for (const std::vector<int64_t>& shape : shapes.gradients) most = std::max(most, count(shape));
  for (const std::vector<int64_t>& shape : shapes.weights) most = std::max(most, count(shape));
  if (most > kMostPlanned) return 0;
  check_workspace(problem);
  const int64_t pixels = std::max<int64_t>(1, problem.batch) * count(target);
  const bool much_work = std::any_of(problem.terms.begin(), problem.terms.end(),
                                     [pixels](const Term& term) { return pixels > kMostWork / term.channels; });
  if (most > kMostRun || much_work) return 0;

  Terms terms;
  const std::function<double()> draw = read_values(&bytes);
  for (size_t i = 0; i < shapes.gradients.size(); ++i) {
    terms.add(shapes.gradients[i], shapes.gradient_types[i], shapes.weights[i], shapes.weight_types[i], std::ref(draw));
  }
  check(make_problem(terms.gradients, terms.weights, target, options, map_type, &problem).empty(), "refused at last");
  const std::vector<char> maps = run(problem, one_thread);
  check_close(problem, maps, expected_maps(terms.gradients, terms.weights, target, options), to_string(options));

  const int cut = bytes.below(8);
  static ThreadPool pool(3);
  check(run(problem, cut == 0 ? pool.parallel_for() : in_pieces(cut)) == maps,
        "other bits, cut " + std::to_string(cut));
  return 0;
}
