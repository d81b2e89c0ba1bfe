#include "scale.h"

#include <vector>

#include "names.h"

namespace fullgrad {
namespace {

// Of the shape of x with one position.
std::vector<int64_t> per_channel(const std::vector<int64_t>& shape) {
  std::vector<int64_t> found(shape.size(), 1);
  found.front() = shape.front();
  found.back() = shape.back();
  return found;
}

std::string describe(const Array& x, const Array& other, bool whole, void* out, Scaling* scaling) {
  if (x.shape.size() < 2) return "expected a signal of at least two dimensions, got shape " + to_string(x.shape);
  const std::vector<int64_t> expected = whole ? x.shape : per_channel(x.shape);
  if (other.type != x.type || other.shape != expected) {
    return std::string("expected a ") + (whole ? "gradient" : "factor") + " of the type of x and of shape " +
           to_string(expected) + ", got " + (other.type == x.type ? to_string(other.shape) : "another type");
  }
  *scaling = {x.type, x.shape.front(), 1, x.shape.back(), x.data, other.data, out};
  for (size_t axis = 1; axis + 1 < x.shape.size(); ++axis) scaling->positions *= x.shape[axis];
  return "";
}

}  // namespace

std::string make_scaling(const Array& x, const Array& factor, void* out, Scaling* scaling) {
  return describe(x, factor, false, out, scaling);
}

std::string make_sums_of_products(const Array& x, const Array& gradient, void* out, Scaling* scaling) {
  return describe(x, gradient, true, out, scaling);
}

}  // namespace fullgrad
