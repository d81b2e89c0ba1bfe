// Activations, scaling and sums of products in every type, at awkward sizes: the same bits however the work is cut, and
// those of the definition. Prints a digest, the same on every machine.

#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <thread>

#include "core/activation.h"
#include "core/scale.h"
#include "support/run.h"

using namespace fullgrad;
using namespace fullgrad::testing;

namespace {

// What stays within the memory of each: so that AddressSanitizer sees whoever leaves it.
using Bytes = std::vector<char>;

void all_at_once(int64_t count, int64_t, const std::function<void(int64_t, int64_t)>& body) { body(0, count); }

void on_two_threads(int64_t count, int64_t, const std::function<void(int64_t, int64_t)>& body) {
  std::thread other([&] { body(0, count / 2); });
  body(count / 2, count);
  other.join();
}

const ParallelFor kCuts[] = {one_thread, all_at_once, on_two_threads};

double precision(DataType type) {
  if (type == DataType::kFloat16) return std::ldexp(1, -10);
  if (type == DataType::kBFloat16) return std::ldexp(1, -7);
  return type == DataType::kFloat32 ? 1e-5 : 1e-12;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double value_of(Activation activation, double x) {
  switch (activation) {
    case Activation::kHardSilu:
      return x * std::fmin(std::fmax(x + 3, 0), 6) / 6;
    case Activation::kGelu:
      return x * std::erfc(-x / std::sqrt(2.0)) / 2;
    case Activation::kGeluTanh:
      return x * sigmoid(std::sqrt(8 / std::acos(-1)) * (x + 0.044715 * x * x * x));
    default:
      return x * sigmoid(x);
  }
}

double slope_of(Activation activation, double x) {
  constexpr double kStep = 1e-4;
  return (value_of(activation, x + kStep) - value_of(activation, x - kStep)) / (2 * kStep);
}

void check_close(double found, double expected, double size, double share, const char* what) {
  check(std::fabs(found - expected) <= 4 * share * (size + 0.01) + 1e-6, what);
}

class Digest {
 public:
  void add(const Bytes& bytes) {
    for (const char byte : bytes) value_ = (value_ ^ static_cast<uint8_t>(byte)) * 0x100000001b3;
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325;  // FNV-1a
};

// The same bytes by each way to cut the work.
template <class Run>
Bytes same_by_all(int64_t elements, DataType type, Run run) {
  Bytes first;
  for (const ParallelFor& cut : kCuts) {
    Bytes out(elements * size_of(type), '\xff');
    run(out.data(), cut);
    if (first.empty()) first = out;
    check(first == out, "other bits where the work is cut another way");
  }
  return first;
}

}  // namespace

int main() {
  Steps draw(0);
  Digest digest;
  const std::vector<std::vector<int64_t>> shapes = {{1, 1, 1, 1}, {2, 3, 5, 7}, {3, 40, 9, 16}, {1, 130, 300}};
  for (const DataType type : kEveryType) {
    const double share = precision(type);
    for (const std::vector<int64_t>& shape : shapes) {
      std::vector<int64_t> per_channel(shape.size(), 1);
      per_channel.front() = shape.front();
      per_channel.back() = shape.back();
      Terms terms;
      for (int i = 0; i < 3; ++i) terms.add(shape, type, per_channel, type, std::ref(draw));
      const Array &x = terms.gradients[0], &whole = terms.gradients[1], &scaled = terms.gradients[2];
      const Array &factor = terms.weights[0], &same = terms.weights[1];
      int64_t count = 1, positions = 1;
      for (const int64_t size : shape) count *= size;
      for (size_t axis = 1; axis + 1 < shape.size(); ++axis) positions *= shape[axis];
      const int64_t channels = shape.back(), images = shape.front();
      const auto of_image = [&](int64_t i) { return i / (positions * channels) * channels + i % channels; };

      for (const Activation activation :
           {Activation::kSilu, Activation::kHardSilu, Activation::kGelu, Activation::kGeluTanh}) {
        const auto activate = [&](const std::vector<Array>& gradients, const std::vector<Array>& factors) {
          return same_by_all(count, type, [&](void* out, const ParallelFor& cut) {
            Activating activating;
            check(make_activating(activation, x, gradients, factors, out, &activating).empty(), "refused");
            activate_cpu(activating, cut);
          });
        };
        const Bytes value = activate({}, {}), before = activate({whole, same, scaled}, {Array(), Array(), factor});
        for (int64_t i = 0; i < count; ++i) {
          const double at = element(x, i), expected = value_of(activation, at);
          check_close(element({value.data(), shape, type}, i), expected, std::fabs(expected), share, "another value");
          const double parts[] = {element(whole, i), element(same, of_image(i)),
                                  element(scaled, i) * element(factor, of_image(i))};
          const double size = std::fabs(parts[0]) + std::fabs(parts[1]) + std::fabs(parts[2]);
          const bool at_a_kink = activation == Activation::kHardSilu && std::fabs(std::fabs(at) - 3) < 0.01;
          if (at_a_kink) continue;
          check_close(element({before.data(), shape, type}, i),
                      (parts[0] + parts[1] + parts[2]) * slope_of(activation, at), size, share, "another gradient");
        }
        // The one function of the C library, whose last bit may be another elsewhere.
        if (activation != Activation::kGelu || type != DataType::kFloat64) {
          digest.add(value);
          digest.add(before);
        }
      }

      Scaling scaling;
      const Bytes product = same_by_all(count, type, [&](void* out, const ParallelFor& cut) {
        check(make_scaling(x, factor, out, &scaling).empty(), "refused");
        scale_cpu(scaling, cut);
      });
      const Bytes sums = same_by_all(images * channels, type, [&](void* out, const ParallelFor& cut) {
        check(make_sums_of_products(x, whole, out, &scaling).empty(), "refused");
        std::vector<char> workspace(sums_of_products_cpu_workspace(scaling), '\xff');
        sums_of_products_cpu(scaling, workspace.data(), cut);
      });
      std::vector<double> expected(images * channels), size(images * channels);
      for (int64_t i = 0; i < count; ++i) {
        const double product_of_two = element(x, i) * element(whole, i);
        expected[of_image(i)] += product_of_two;
        size[of_image(i)] += std::fabs(product_of_two);
        const double scaled_by = element(x, i) * element(factor, of_image(i));
        check_close(element({product.data(), shape, type}, i), scaled_by, std::fabs(scaled_by), share,
                    "another product");
      }
      for (size_t i = 0; i < expected.size(); ++i) {
        check_close(element({sums.data(), per_channel, type}, static_cast<int64_t>(i)), expected[i], size[i], share,
                    "another sum");
      }
      digest.add(product);
      digest.add(sums);
    }
  }
  std::printf("%016" PRIx64 "\n", digest.value());
}
