// How the CPU path cuts its work, before it touches a tensor: waves of terms, a term that is rescaled into the tiles of
// its two passes, and groups into the tiles that they are reduced by. A tile is one thread's at a time, and is sized by
// the caches; where the cuts lie changes no bit.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "cpu_instructions.h"
#include "cpu_terms.h"
#include "plan.h"
#include "saliency.h"
#include "two_passes.h"

namespace fullgrad {

inline constexpr int64_t kTileBytes = 128 << 10;      // A task's share of the gradients.
inline constexpr int64_t kStreamBytes = 128 << 10;    // Of one term: enough of a stream to be fetched ahead.
inline constexpr int64_t kPrivateBytes = 1280 << 10;  // What a core's own cache keeps from one pass to the next.
inline constexpr int64_t kWaveBytes = 32 << 20;
inline constexpr int64_t kMinTilePositions = 64;  // So that a tile's ranges are small beside the tile.

// Terms [first, last) of one group, for one image.
struct Segment {
  size_t group;
  int64_t image;
  size_t first, last;
  size_t first_rescaled;  // Of the wave's rescaled terms: the one of term `first`.
};

struct Tile {
  size_t segment;
  int64_t begin, end;
};

// One image of a term that is rescaled.
template <class Real>
struct RescaledTerm {
  const Term* term;
  int64_t image;
  int64_t tile_positions;
  int64_t ranges_per_tile;  // One for each channel, or one.
  Real* ranges = nullptr;   // The tiles', one after the other. In the end the first holds what rescales the term.
  Real* sums = nullptr;     // Over the channels, at each position.

  int64_t size() const { return positions(term->extent); }
  int64_t tiles() const { return divide_up(size(), tile_positions); }
  int64_t begin(int64_t tile) const { return tile * tile_positions; }
  int64_t end(int64_t tile) const { return std::min(size(), begin(tile + 1)); }
  int64_t stride() const { return Arena::aligned<Real>(ranges_per_tile); }
  ChannelRanges<Real> ranges_of(int64_t tile) const {
    Real* min = ranges + tile * 2 * stride();
    return {min, min + stride()};
  }
};

// Terms that are rescaled, and then reduced while their sums are still in the cache.
template <class Real>
struct Wave {
  std::vector<Segment> segments;
  std::vector<Tile> tiles;
  std::vector<RescaledTerm<Real>> rescaled;
  std::deque<TwoPasses> passes;  // For each rescaled term.
  std::vector<size_t> helpers;   // For each thread that a rescaled term can use: the term.
};

// Cuts the work on a problem, whose terms are in these groups. Problem and groups outlive the planner, and the problem
// its waves, which point to its terms.
template <class Real>
class CpuPlanner {
 public:
  CpuPlanner(const Problem& problem, const std::vector<Group>& groups) : problem_(problem), groups_(groups) {}

  // One wave holds everything where terms are read once.
  std::deque<Wave<Real>> waves() const {
    std::deque<Wave<Real>> waves;
    int64_t bytes = 0;
    waves.emplace_back();
    for (size_t g = 0; g < groups_.size(); ++g) {
      const Group& group = groups_[g];
      for (int64_t image = 0; image < problem_.batch; ++image) {
        for (size_t i = 0; i < group.terms.size(); ++i) {
          const Term& term = problem_.terms[group.terms[i]];
          const int64_t more = bytes_per_position(term) * positions(group.extent);
          if (rescales() && bytes > 0 && bytes + more > kWaveBytes) {
            waves.emplace_back();
            bytes = 0;
          }
          bytes += more;
          Wave<Real>& wave = waves.back();
          if (wave.segments.empty() || wave.segments.back().group != g || wave.segments.back().image != image) {
            wave.segments.push_back({g, image, i, i, wave.rescaled.size()});
          }
          wave.segments.back().last = i + 1;
          if (rescales()) add_rescaled_term(term, image, more, &wave);
        }
      }
    }
    for (Wave<Real>& wave : waves) cut(&wave);
    return waves;
  }

 private:
  bool rescales() const { return problem_.options.rescale != Rescale::kNone; }
  bool per_sample() const { return problem_.options.rescale == Rescale::kPerSample; }

  void add_rescaled_term(const Term& term, int64_t image, int64_t bytes, Wave<Real>* wave) const {
    const int64_t tile = std::max(kMinTilePositions, kTileBytes / bytes_per_position(term));
    wave->rescaled.push_back({&term, image, tile, per_sample() ? 1 : term.channels});
    const int64_t tiles = wave->rescaled.back().tiles();
    wave->helpers.insert(wave->helpers.end(), bytes <= kPrivateBytes ? 1 : tiles, wave->passes.size());
    wave->passes.emplace_back(tiles);
  }

  void cut(Wave<Real>* wave) const {
    for (size_t i = 0; i < wave->segments.size(); ++i) {
      const Segment& segment = wave->segments[i];
      const Group& group = groups_[segment.group];
      // Of each term a stretch that is long enough to be read as a stream.
      const auto terms = static_cast<int64_t>(segment.last - segment.first);
      int64_t bytes = terms * sizeof(Real);
      if (!rescales()) {
        bytes = 0;
        for (size_t t = segment.first; t < segment.last; ++t) {
          bytes += bytes_per_position(problem_.terms[group.terms[t]]);
        }
      }
      const int64_t size = positions(group.extent);
      const int64_t per_tile = std::max<int64_t>(kLanes, kStreamBytes * terms / bytes);
      for (int64_t begin = 0; begin < size; begin += per_tile) {
        wave->tiles.push_back({i, begin, std::min(size, begin + per_tile)});
      }
    }
  }

  const Problem& problem_;
  const std::vector<Group>& groups_;
};

// Places what a wave's terms are rescaled by and into, and returns how many bytes it takes.
template <class Real>
int64_t lay_out(Wave<Real>* wave, void* scratch) {
  Arena arena(scratch);
  for (RescaledTerm<Real>& rescaled : wave->rescaled) {
    rescaled.ranges = arena.take<Real>(rescaled.tiles() * 2 * rescaled.stride());
    rescaled.sums = arena.take<Real>(rescaled.size());
  }
  return arena.used();
}

}  // namespace fullgrad
