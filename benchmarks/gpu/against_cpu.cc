// The CUDA kernel against the CPU path, in every mode and type, on random terms of few units and of many, with nothing
// but CUDA: the first thing to run on a machine whose GPU nobody has tried. What the kernel has not written is a NaN.

#include <cuda_runtime.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "core/numerics.h"
#include "core/saliency_cuda.h"

namespace {

using namespace fullgrad;

struct Shape {
  int64_t height, width, channels;
};

const std::vector<Shape> kSmall = {{9, 13, 3}, {4, 4, 40}, {4, 4, 8}, {1, 1, 300}, {5, 3, 1}};
const std::vector<Shape> kLarge = {{99, 101, 3}, {64, 64, 128}, {64, 64, 24}, {32, 32, 728}, {7, 7, 2048}};

void check(cudaError_t error) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "CUDA: %s\n", cudaGetErrorString(error));
  std::exit(1);
}

// One array, on the host and on the device.
struct Twin {
  std::vector<char> host;
  void* device = nullptr;

  explicit Twin(size_t bytes) : host(bytes) { check(cudaMalloc(&device, bytes)); }
  ~Twin() { check(cudaFree(device)); }
  Twin(const Twin&) = delete;

  void to_device() { check(cudaMemcpy(device, host.data(), host.size(), cudaMemcpyHostToDevice)); }
  void to_host() { check(cudaMemcpy(host.data(), device, host.size(), cudaMemcpyDeviceToHost)); }
};

// Random numbers, some of them 0, that every type holds.
void draw(std::mt19937* random, DataType type, Twin* twin) {
  std::uniform_int_distribution<int> sixteenths(-32, 32);
  const int64_t count = static_cast<int64_t>(twin->host.size()) / size_of(type);
  for (int64_t i = 0; i < count; ++i) {
    const float value = static_cast<float>(sixteenths(*random)) / 16;
    char* at = twin->host.data() + i * size_of(type);
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    if (type == DataType::kFloat64) {
      const double wide = value;
      std::memcpy(at, &wide, 8);
    } else if (type == DataType::kFloat32) {
      std::memcpy(at, &value, 4);
    } else if (type == DataType::kBFloat16) {
      const auto half = static_cast<uint16_t>(bits >> 16);
      std::memcpy(at, &half, 2);
    } else {
      const uint32_t magnitude = bits & 0x7fffffffu;
      const auto half =
          static_cast<uint16_t>((bits >> 16 & 0x8000u) | (magnitude ? (magnitude - (112u << 23)) >> 13 : 0));
      std::memcpy(at, &half, 2);
    }
  }
  twin->to_device();
}

class Terms {
 public:
  Terms(const std::vector<Shape>& shapes, int64_t batch, DataType type, Layout layout) {
    std::mt19937 random(1);
    for (const Shape& of : shapes) {
      for (const bool per_channel : {true, false}) {
        const bool last = layout == Layout::kChannelsLast;
        const std::vector<int64_t> shape = last ? std::vector<int64_t>{batch, of.height, of.width, of.channels}
                                                : std::vector<int64_t>{batch, of.channels, of.height, of.width};
        add(&gradients_, shape, type, &random);
        add(&weights_, per_channel ? std::vector<int64_t>{of.channels} : shape, type, &random);
      }
    }
  }

  Problem problem(bool on_device, const std::vector<int64_t>& size, const Options& options, DataType map_type) const {
    Problem problem;
    const std::string error =
        make_problem(arrays(gradients_, on_device), arrays(weights_, on_device), size, options, map_type, &problem);
    if (error.empty()) return problem;
    std::fprintf(stderr, "%s\n", error.c_str());
    std::exit(1);
  }

 private:
  struct Owned {
    std::unique_ptr<Twin> twin;
    std::vector<int64_t> shape;
    DataType type;
  };

  static void add(std::vector<Owned>* to, const std::vector<int64_t>& shape, DataType type, std::mt19937* random) {
    int64_t bytes = size_of(type);
    for (int64_t size : shape) bytes *= size;
    to->push_back({std::make_unique<Twin>(bytes), shape, type});
    draw(random, type, to->back().twin.get());
  }

  static std::vector<Array> arrays(const std::vector<Owned>& of, bool on_device) {
    std::vector<Array> arrays;
    for (const Owned& owned : of) {
      arrays.push_back({on_device ? owned.twin->device : owned.twin->host.data(), owned.shape, owned.type});
    }
    return arrays;
  }

  std::vector<Owned> gradients_, weights_;
};

void in_one_go(int64_t count, int64_t, const std::function<void(int64_t, int64_t)>& body) { body(0, count); }

template <class Real>
double difference(const std::vector<char>& a, const std::vector<char>& b) {
  double most = 0, largest = 0;
  for (size_t at = 0; at < a.size(); at += sizeof(Real)) {
    Real x, y;
    std::memcpy(&x, a.data() + at, sizeof(Real));
    std::memcpy(&y, b.data() + at, sizeof(Real));
    if (!(std::fabs(x - y) <= most)) most = std::fabs(x - y);  // A NaN stays.
    largest = std::fmax(largest, std::fabs(y));
  }
  return most / std::fmax(largest, 1e-30);
}

// The largest difference, as a share of the largest value; more than 1 where two runs are not the same.
double run(const Terms& terms, const std::vector<int64_t>& size, int64_t batch, const Options& options, DataType type) {
  const DataType map_type = type == DataType::kFloat64 ? type : DataType::kFloat32;
  Twin maps(batch * size[0] * size[1] * size_of(map_type));
  const Problem here = terms.problem(false, size, options, map_type);
  std::vector<char> scratch(saliency_cpu_workspace(here) + 64);
  saliency_cpu(here, maps.host.data(), scratch.data() + (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64),
               in_one_go);
  const std::vector<char> expected = maps.host;

  const Problem there = terms.problem(true, size, options, map_type);
  size_t bytes = 0;
  check(saliency_cuda_workspace(there, &bytes));
  Twin workspace(bytes);
  std::vector<char> before;
  for (int again = 0; again < 3; ++again) {
    check(cudaMemset(workspace.device, 0xff, bytes));
    check(cudaMemset(maps.device, 0xff, maps.host.size()));
    check(saliency_cuda(there, maps.device, workspace.device, nullptr));
    check(cudaDeviceSynchronize());
    maps.to_host();
    if (again > 0 && maps.host != before) return 2;
    before = maps.host;
  }
  return map_type == DataType::kFloat64 ? difference<double>(maps.host, expected)
                                        : difference<float>(maps.host, expected);
}

}  // namespace

int main() {
  int wrong = 0, modes = 0;
  double worst = 0;
  for (const bool large : {false, true}) {
    const int64_t batch = large ? 9 : 2;
    const std::vector<int64_t> size = large ? std::vector<int64_t>{99, 101} : std::vector<int64_t>{9, 13};
    for (const DataType type : {DataType::kFloat16, DataType::kBFloat16, DataType::kFloat32, DataType::kFloat64}) {
      for (const Layout layout : {Layout::kChannelsLast, Layout::kChannelsFirst}) {
        const Terms terms(large ? kLarge : kSmall, batch, type, layout);
        for (const Rescale rescale : {Rescale::kNone, Rescale::kPerChannel, Rescale::kPerSample}) {
          for (const Rectifier rectifier :
               {Rectifier::kAbsolute, Rectifier::kPositive, Rectifier::kNegative, Rectifier::kIdentity}) {
            if (large && rectifier != Rectifier::kAbsolute && rectifier != Rectifier::kPositive) continue;
            for (const Resize resize : {Resize::kHalfPixel, Resize::kAlignedCorners}) {
              Options options;
              options.rectifier = rectifier;
              options.rescale = rescale;
              options.resize = resize;
              options.layout = layout;
              const double off = run(terms, size, batch, options, type);
              ++modes;
              worst = std::fmax(worst, off);
              if (off <= 1e-5) continue;
              ++wrong;
              std::printf("off by %.2g: %s terms, type %d, layout %d, rescale %d, rectifier %d, resize %d\n", off,
                          large ? "large" : "small", static_cast<int>(type), static_cast<int>(layout),
                          static_cast<int>(rescale), static_cast<int>(rectifier), static_cast<int>(resize));
              std::fflush(stdout);
            }
          }
        }
      }
    }
  }
  std::printf("%d of %d modes are off; the largest difference is %.2g\n", wrong, modes, worst);
  return wrong > 0;
}
