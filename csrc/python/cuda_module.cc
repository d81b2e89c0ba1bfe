// The CUDA core on device arrays of any library that has __cuda_array_interface__ (PyTorch, CuPy, Numba), without
// TensorFlow.

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <optional>

#include "core/gpu.h"
#include "problem.h"

namespace py = pybind11;

namespace fullgrad {
namespace {

// The protocol has no name for bfloat16; V2, two bytes of anything, is what its users write.
std::string type_name(const std::string& code) {
  const std::string kind = code.substr(1);
  if (kind == "f2") return "float16";
  if (kind == "V2") return "bfloat16";
  if (kind == "f4") return "float32";
  if (kind == "f8") return "float64";
  return code;
}

Array device_array(const py::object& object, const std::string& name) {
  if (!py::hasattr(object, "__cuda_array_interface__")) {
    throw py::type_error(name + ": expected an array with __cuda_array_interface__, got " +
                         py::str(py::type::of(object)).cast<std::string>());
  }
  const py::dict face = object.attr("__cuda_array_interface__");
  const auto shape = face["shape"].cast<std::vector<int64_t>>();
  const auto type = data_type(type_name(face["typestr"].cast<std::string>()));
  if (face.contains("strides") && !face["strides"].is_none()) {
    const auto strides = face["strides"].cast<std::vector<int64_t>>();
    int64_t stride = size_of(type);
    for (size_t axis = shape.size(); axis-- > 0; stride *= shape[axis]) {
      if (shape[axis] > 1 && strides[axis] != stride) {
        throw py::value_error(name + ": expected a contiguous array, got strides of " +
                              py::str(face["strides"]).cast<std::string>() + " bytes");
      }
    }
  }
  const auto address = face["data"].cast<py::tuple>()[0].cast<uintptr_t>();
  return {reinterpret_cast<const void*>(address), shape, type};
}

std::vector<Array> device_arrays(const py::sequence& objects, const std::string& name) {
  std::vector<Array> arrays;
  for (const py::handle& object : objects) {
    arrays.push_back(
        device_array(py::reinterpret_borrow<py::object>(object), name + " " + std::to_string(arrays.size())));
  }
  return arrays;
}

Problem device_problem(const py::sequence& gradients, const py::sequence& weights, const std::vector<int64_t>& size,
                       const OptionNames& options) {
  const std::vector<Array> gradient_arrays = device_arrays(gradients, "gradient");
  return problem_of(gradient_arrays, device_arrays(weights, "weight"), size, options);
}

void check(const GpuFailure& failure) {
  if (!failure.message.empty()) throw std::runtime_error(failure.message);
}

size_t workspace_bytes(const Problem& problem) {
  size_t bytes = 0;
  check(gpu_saliency_workspace(problem, &bytes));
  return bytes;
}

size_t workspace(const py::sequence& gradients, const py::sequence& weights, const std::vector<int64_t>& size,
                 const std::string& rectifier, const std::string& rescale, const std::string& channels,
                 const std::string& resize, const std::string& layout) {
  return workspace_bytes(device_problem(gradients, weights, size, {rectifier, rescale, channels, resize, layout}));
}

void saliency_map(const py::sequence& gradients, const py::sequence& weights, const std::vector<int64_t>& size,
                  const py::object& maps, uintptr_t workspace, size_t workspace_size, uintptr_t stream,
                  const std::string& rectifier, const std::string& rescale, const std::string& channels,
                  const std::string& resize, const std::string& layout) {
  const Problem problem = device_problem(gradients, weights, size, {rectifier, rescale, channels, resize, layout});
  const Array out = device_array(maps, "maps");
  std::vector<int64_t> shape = {problem.batch};
  shape.insert(shape.end(), size.begin(), size.end());
  if (out.type != problem.map_type || out.shape != shape) {
    throw py::value_error("expected maps of " +
                          std::string(problem.map_type == DataType::kFloat64 ? "float64" : "float32") + " and shape " +
                          py::str(py::tuple(py::cast(shape))).cast<std::string>() + ", got shape " +
                          py::str(py::tuple(py::cast(out.shape))).cast<std::string>());
  }
  const size_t needed = workspace_bytes(problem);
  constexpr uintptr_t kAlignment = 64;
  if (workspace_size < needed || workspace % kAlignment != 0) {
    throw py::value_error("expected a workspace of " + std::to_string(needed) + " bytes, aligned to 64, got " +
                          std::to_string(workspace_size) + " at " + std::to_string(workspace));
  }
  const py::gil_scoped_release release;
  check(gpu_saliency(problem, const_cast<void*>(out.data), reinterpret_cast<void*>(workspace),
                     reinterpret_cast<void*>(stream)));
}

void activate(const py::object& x, const std::string& activation, const py::object& out,
              const std::optional<py::object>& gradient, uintptr_t stream) {
  const Array values = device_array(x, "x"), result = device_array(out, "out");
  std::vector<Array> gradients;
  if (gradient) gradients.push_back(device_array(*gradient, "gradient"));
  if (result.type != values.type || result.shape != values.shape) {
    throw py::value_error("expected an output of the type and the shape of x");
  }
  const Activating activating = activating_of(activation, values, gradients, std::vector<Array>(gradients.size()),
                                              const_cast<void*>(result.data));
  const py::gil_scoped_release release;
  check(gpu_activate(activating, reinterpret_cast<void*>(stream)));
}

}  // namespace

PYBIND11_MODULE(_cuda, module) {
  module.doc() = "The CUDA core on device arrays; options as in keras_fullgrad._native.";
  module.def("workspace", &workspace, py::arg("gradients"), py::arg("weights"), py::arg("size"), py::kw_only(),
             py::arg("rectifier") = "absolute", py::arg("rescale") = "none", py::arg("channels") = "mean",
             py::arg("resize") = "half_pixel", py::arg("layout") = "channels_last",
             "Bytes of device memory, aligned to 64, that saliency_map needs on the current device.");
  module.def("saliency_map", &saliency_map, py::arg("gradients"), py::arg("weights"), py::arg("size"), py::arg("maps"),
             py::arg("workspace"), py::arg("workspace_size"), py::kw_only(), py::arg("stream") = 0,
             py::arg("rectifier") = "absolute", py::arg("rescale") = "none", py::arg("channels") = "mean",
             py::arg("resize") = "half_pixel", py::arg("layout") = "channels_last",
             "Writes the maps, (batch, size), of lists of device arrays, in the order of a CUDA stream (its address), "
             "without waiting for it.");
  module.def("activate", &activate, py::arg("x"), py::arg("activation"), py::arg("out"), py::kw_only(),
             py::arg("gradient") = py::none(), py::arg("stream") = 0,
             "Writes an activation's value at x, or the gradient before it from the one behind it.");
}

}  // namespace fullgrad
