#include "build.h"

#include <string>

namespace {

std::string quoted(const std::string& text) { return '"' + text + '"'; }

std::string facts() {
  const std::string cuda_version = FULLGRAD_CUDA_VERSION;
  std::string sets;
  for (const std::string& set : fullgrad::instruction_sets()) sets += (sets.empty() ? "" : ", ") + quoted(set);
  return "{\"cuda_version\": " + (cuda_version.empty() ? "null" : quoted(cuda_version)) +
         ", \"cuda_architectures\": " + quoted(FULLGRAD_CUDA_ARCHITECTURES) +
         ", \"compiler\": " + quoted(FULLGRAD_COMPILER) + ", \"instruction_sets\": [" + sets + "]}";
}

}  // namespace

const char* keras_fullgrad_build() {
  static const std::string text = facts();
  return text.c_str();
}
