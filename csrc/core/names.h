// Options and shapes as they are written.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fullgrad {

// Looks a name up; false where it is not among them.
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

inline std::string to_string(const std::vector<int64_t>& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + ")";
}

}  // namespace fullgrad
