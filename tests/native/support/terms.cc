#include "terms.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

namespace fullgrad::testing {
namespace {

// An IEEE type of 16 bits: its bits of exponent and of mantissa.
struct Format {
  int exponent, mantissa;
  int bias() const { return (1 << (exponent - 1)) - 1; }
  int special() const { return (1 << exponent) - 1; }  // The exponent of infinity and NaN.
};

constexpr Format kHalf = {5, 10};
constexpr Format kBFloat = {8, 7};

double decode(uint16_t bits, Format format) {
  const int exponent = bits >> format.mantissa & format.special();
  const int mantissa = bits & ((1 << format.mantissa) - 1);
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == format.special()) return mantissa ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  const int whole = exponent ? mantissa + (1 << format.mantissa) : mantissa;
  return sign * std::ldexp(whole, (exponent ? exponent : 1) - format.bias() - format.mantissa);
}

uint16_t encode(double value, Format format) {
  const int sign = std::signbit(value) << 15;
  const int infinity = sign | format.special() << format.mantissa;
  if (std::isnan(value)) return static_cast<uint16_t>(infinity | 1);
  if (std::isinf(value)) return static_cast<uint16_t>(infinity);
  if (value == 0) return static_cast<uint16_t>(sign);
  int exponent;
  std::frexp(value, &exponent);
  exponent = std::max(exponent - 1 + format.bias(), 1);
  if (exponent >= format.special()) return static_cast<uint16_t>(infinity);
  const auto whole = static_cast<int>(std::ldexp(std::fabs(value), format.mantissa + format.bias() - exponent));
  // A subnormal's whole lacks the implicit 1, and with it the exponent.
  return static_cast<uint16_t>(sign | (((exponent - 1) << format.mantissa) + whole));
}

template <class T>
T read(const Array& array, int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const char*>(array.data) + index * sizeof(T), sizeof(T));
  return value;
}

template <class T>
void write(std::vector<char>* memory, int64_t index, T value) {
  std::memcpy(memory->data() + index * sizeof(T), &value, sizeof(T));
}

void write(std::vector<char>* memory, int64_t index, DataType type, double value) {
  switch (type) {
    case DataType::kFloat16:
      return write(memory, index, encode(value, kHalf));
    case DataType::kBFloat16:
      return write(memory, index, encode(value, kBFloat));
    case DataType::kFloat32:
      return write(memory, index, static_cast<float>(value));
    case DataType::kFloat64:
      return write(memory, index, value);
  }
}

}  // namespace

double element(const Array& array, int64_t index) {
  switch (array.type) {
    case DataType::kFloat16:
      return decode(read<uint16_t>(array, index), kHalf);
    case DataType::kBFloat16:
      return decode(read<uint16_t>(array, index), kBFloat);
    case DataType::kFloat32:
      return read<float>(array, index);
    case DataType::kFloat64:
      break;
  }
  return read<double>(array, index);
}

std::vector<int64_t> shape_of(int64_t batch, const std::vector<int64_t>& space, int64_t channels, Layout layout) {
  std::vector<int64_t> shape = {batch};
  if (layout == Layout::kChannelsFirst) shape.push_back(channels);
  shape.insert(shape.end(), space.begin(), space.end());
  if (layout == Layout::kChannelsLast) shape.push_back(channels);
  return shape;
}

void Terms::add(const std::vector<int64_t>& gradient, DataType gradient_type, const std::vector<int64_t>& weight,
                DataType weight_type, const Draw& draw) {
  gradients.push_back(array(gradient, gradient_type, draw));
  weights.push_back(array(weight, weight_type, draw));
}

Array Terms::array(const std::vector<int64_t>& shape, DataType type, const Draw& draw) {
  const int64_t count = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<int64_t>());
  std::vector<char>& memory = memory_.emplace_back(count * size_of(type));
  for (int64_t i = 0; i < count; ++i) write(&memory, i, type, draw());
  return {memory.data(), shape, type};
}

uint64_t Steps::bits() {
  // splitmix64
  uint64_t bits = state_ += 0x9e3779b97f4a7c15;
  bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ bits >> 27) * 0x94d049bb133111eb;
  return bits ^ bits >> 31;
}

}  // namespace fullgrad::testing
