// Every mode, type and number of dimensions, at awkward sizes. Prints a digest of the maps, the same on every machine.

#include <cinttypes>
#include <cstdio>

#include "support/run.h"

using namespace fullgrad;
using namespace fullgrad::testing;

namespace {

struct Sizes {
  std::vector<std::vector<int64_t>> terms;
  std::vector<int64_t> target;
};

// One, odd, prime, larger and smaller than the target.
const Sizes kSizes[] = {
    {{{1, 1}, {1, 1}}, {1, 1}}, {{{7, 5}, {1, 3}, {13, 17}}, {11, 19}},          {{{31, 2}, {4, 4}, {4, 4}}, {3, 5}},
    {{{9}, {1}, {64}}, {37}},   {{{3, 5, 7}, {1, 2, 1}, {6, 4, 9}}, {5, 4, 11}},
};

constexpr int64_t kBatch = 2;
constexpr int64_t kChannels[] = {3, 16, 37};

}  // namespace

int main() {
  Steps draw(0);
  uint64_t digest = 0xcbf29ce484222325;  // FNV-1a, of all maps.
  for (const Options& options : every_mode()) {
    for (const DataType type : kEveryType) {
      for (const Sizes& sizes : kSizes) {
        Terms terms;
        for (size_t i = 0; i < sizes.terms.size(); ++i) {
          const int64_t channels = kChannels[i];
          const std::vector<int64_t> shape = shape_of(kBatch, sizes.terms[i], channels, options.layout);
          // The first has a weight of its own for each element, as the input term does.
          const bool own = i == 0;
          const DataType weight_type = own ? type : kEveryType[i];
          terms.add(shape, type, own ? shape : std::vector<int64_t>{channels}, weight_type, std::ref(draw));
        }
        for (const char byte : check_terms(terms, sizes.target, options)) {
          digest = (digest ^ static_cast<uint8_t>(byte)) * 0x100000001b3;
        }
      }
    }
  }
  std::printf("%016" PRIx64 "\n", digest);
}
