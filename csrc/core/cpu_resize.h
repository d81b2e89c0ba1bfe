// Resize: what one task does to a few rows of one image's map. A row of a group's sums is stretched to the target's
// width, and then whole rows are blended and added to the map, group after group.

#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu_instructions.h"
#include "numerics.h"

namespace fullgrad {

// Where the columns of a target lie in a source row. Those between the same two columns of the source are a run.
template <class Real>
struct Columns {
  int64_t source;
  int64_t* ends;   // (source,): of the run right of each column of the source
  Real* fraction;  // (width + kLanes,)
};

// Run by run nothing is gathered, lanes at a time, of which those beyond a run are overwritten by the next: `wide` has
// room for width + kLanes.
template <class Real>
FULLGRAD_DISPATCHED void stretch(const Real* narrow, Columns<Real> columns, Real* wide) {
  int64_t x = 0;
  for (int64_t column = 0; column < columns.source; ++column) {
    const Real left = narrow[column];
    const Real right = narrow[std::min(column + 1, columns.source - 1)];
    for (; x < columns.ends[column]; x += kLanes) {
#pragma omp simd
      for (int lane = 0; lane < kLanes; ++lane) {
        wide[x + lane] = interpolate(left, right, columns.fraction[x + lane]);
      }
    }
    x = columns.ends[column];
  }
}

// Source rows of the target's width around one target row, and how far it lies from the near and the top ones.
template <class Real>
struct Rows {
  const Real *near_top, *near_bottom, *far_top, *far_bottom;
  Real down, back;
};

template <class Real>
FULLGRAD_DISPATCHED void add_blend(Rows<Real> rows, int64_t width, Real* out) {
  if (rows.back == 0) {
    FULLGRAD_NO_ALIAS
    for (int64_t x = 0; x < width; ++x) out[x] += interpolate(rows.near_top[x], rows.near_bottom[x], rows.down);
    return;
  }
  FULLGRAD_NO_ALIAS
  for (int64_t x = 0; x < width; ++x) {
    const Real near = interpolate(rows.near_top[x], rows.near_bottom[x], rows.down);
    const Real far = interpolate(rows.far_top[x], rows.far_bottom[x], rows.down);
    out[x] += interpolate(near, far, rows.back);
  }
}

}  // namespace fullgrad
