// The core on NumPy arrays, without TensorFlow.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <numeric>
#include <optional>
#include <system_error>
#include <thread>

#include "core/activation.h"
#include "core/cpu_instructions.h"
#include "core/saliency.h"
#include "problem.h"

namespace py = pybind11;

namespace fullgrad {
namespace {

// Runs pieces of the work on `threads` threads, whichever is free taking the next.
ParallelFor threaded(int threads) {
  return [threads](int64_t count, int64_t, const std::function<void(int64_t, int64_t)>& body) {
    std::atomic<int64_t> next{0};
    const auto work = [&] {
      for (int64_t i = next++; i < count; i = next++) body(i, i + 1);
    };
    const int64_t wanted = std::min<int64_t>(threads, count);
    std::vector<std::thread> others;
    others.reserve(wanted);
    try {
      for (int64_t i = 1; i < wanted; ++i) others.emplace_back(work);
    } catch (const std::system_error&) {  // There are no more threads to be had: those that run do it all.
    }
    work();
    for (std::thread& other : others) other.join();
  };
}

py::array contiguous(const py::array& array) { return py::array::ensure(array, py::array::c_style); }

Array view_of(const py::array& array) {
  const DataType type = data_type(array.dtype().attr("name").cast<std::string>());
  return {array.data(), {array.shape(), array.shape() + array.ndim()}, type};
}

py::array saliency_map(const std::vector<py::array>& gradients, const std::vector<py::array>& weights,
                       const std::vector<int64_t>& size, const std::string& rectifier, const std::string& rescale,
                       const std::string& channels, const std::string& resize, const std::string& layout, int threads) {
  if (threads < 1) throw py::value_error("expected at least one thread, got " + std::to_string(threads));
  std::vector<py::array> held;  // What the terms point to.
  const auto arrays = [&](const std::vector<py::array>& sources) {
    std::vector<Array> views;
    for (const py::array& source : sources) views.push_back(view_of(held.emplace_back(contiguous(source))));
    return views;
  };
  const Problem problem =
      problem_of(arrays(gradients), arrays(weights), size, {rectifier, rescale, channels, resize, layout});

  std::vector<py::ssize_t> shape = {problem.batch};
  shape.insert(shape.end(), size.begin(), size.end());
  const bool wide = problem.map_type == DataType::kFloat64;
  py::array maps(wide ? py::dtype::of<double>() : py::dtype::of<float>(), shape);
  if (maps.size() == 0) return maps;

  constexpr size_t kAlignment = 64;
  size_t space = saliency_cpu_workspace(problem) + kAlignment;
  const auto memory = std::make_unique<char[]>(space);
  void* workspace = memory.get();
  std::align(kAlignment, space - kAlignment, workspace, space);
  void* out = maps.mutable_data();
  const py::gil_scoped_release release;
  saliency_cpu(problem, out, workspace, threaded(threads));
  return maps;
}

py::array activate(const py::array& x, const std::string& activation, const std::vector<py::array>& gradients,
                   const std::vector<std::optional<py::array>>& factors, int threads) {
  std::vector<py::array> held = {contiguous(x)};
  const Array values = view_of(held.front());
  std::vector<Array> behind, times;
  for (const py::array& gradient : gradients) behind.push_back(view_of(held.emplace_back(contiguous(gradient))));
  for (const auto& factor : factors) {
    times.push_back(factor ? view_of(held.emplace_back(contiguous(*factor))) : Array());
  }
  times.resize(std::max(times.size(), behind.size()));
  py::array out(held.front().dtype(), values.shape);
  const Activating activating = activating_of(activation, values, behind, times, out.mutable_data());
  const py::gil_scoped_release release;
  activate_cpu(activating, threaded(threads));
  return out;
}

FULLGRAD_DISPATCHED float sum(const float* values, int64_t count) {
  constexpr int kSums = 4 * kLanes;  // So many that no addition waits for another.
  float sums[kSums] = {};
  for (int64_t at = 0; at + kSums <= count; at += kSums) {
    for (int i = 0; i < kSums; ++i) sums[i] += values[at + i];
  }
  return std::accumulate(sums, sums + kSums, 0.0f);
}

// Adds up every element but a remainder of each block.
double read(const std::vector<py::array_t<float, py::array::c_style>>& arrays, int threads) {
  constexpr int64_t kBlock = 32 << 10;
  struct Block {
    const float* begin;
    int64_t count;
  };
  std::vector<Block> blocks;
  for (const auto& array : arrays) {
    for (int64_t at = 0; at < array.size(); at += kBlock) {
      blocks.push_back({array.data() + at, std::min<int64_t>(kBlock, array.size() - at)});
    }
  }
  std::vector<float> sums(blocks.size());
  const py::gil_scoped_release release;
  threaded(threads)(static_cast<int64_t>(blocks.size()), 0, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) sums[i] = sum(blocks[i].begin, blocks[i].count);
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace

PYBIND11_MODULE(_native, module) {
  module.doc() = "The native core on NumPy arrays.";
  module.def("read", &read, py::arg("arrays"), py::kw_only(), py::arg("threads") = 1,
             "Reads float32 arrays once, as the yardstick of what is bound by memory; returns about their sum.");
  module.def("activate", &activate, py::arg("x"), py::arg("activation"), py::kw_only(),
             py::arg("gradients") = py::tuple(), py::arg("factors") = py::tuple(), py::arg("threads") = 1,
             "An activation's value at x, or the gradient before it from those behind it, each times its factor.");
  module.def("saliency_map", &saliency_map, py::arg("gradients"), py::arg("weights"), py::arg("size"), py::kw_only(),
             py::arg("rectifier") = "absolute", py::arg("rescale") = "none", py::arg("channels") = "mean",
             py::arg("resize") = "half_pixel", py::arg("layout") = "channels_last", py::arg("threads") = 1,
             "The maps, (batch, size), of a list of gradients and a list of weights; see keras_fullgrad.ops.");
}

}  // namespace fullgrad
