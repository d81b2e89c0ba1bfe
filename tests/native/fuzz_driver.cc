// Stands in for libFuzzer where the compiler has none: runs the files and folders that are named, then for `-seconds=N`
// inputs drawn from them, bytes changed at random. It does not see which branches are taken.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Clock = std::chrono::steady_clock;
using Input = std::vector<uint8_t>;

Input read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "expected a file or a folder, got %s\n", path.c_str());
    std::exit(2);
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Input> corpus;
  std::chrono::seconds time(0);
  for (const std::string& argument : std::vector<std::string>(argv + 1, argv + argc)) {
    if (const std::string option = "-seconds="; argument.rfind(option, 0) == 0) {
      time = std::chrono::seconds(std::stoi(argument.substr(option.size())));
    } else if (std::filesystem::is_directory(argument)) {
      for (const auto& entry : std::filesystem::directory_iterator(argument)) corpus.push_back(read(entry.path()));
    } else {
      corpus.push_back(read(argument));
    }
  }
  for (const Input& input : corpus) LLVMFuzzerTestOneInput(input.data(), input.size());

  std::mt19937_64 random;
  int64_t runs = 0;
  for (const auto end = Clock::now() + time; Clock::now() < end && !corpus.empty(); ++runs) {
    Input input = corpus[random() % corpus.size()];
    for (uint64_t changes = 1 + random() % 8; changes > 0 && !input.empty(); --changes) {
      input[random() % input.size()] = static_cast<uint8_t>(random());
    }
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%zu inputs of the corpus and %lld changed ones\n", corpus.size(), static_cast<long long>(runs));
}
