// What only shows at a size: many tiles and waves of work, channels around every width that the loops have, terms of
// several types, and calls at once.

#include <thread>

#include "support/run.h"
#include "support/thread_pool.h"

using namespace fullgrad;
using namespace fullgrad::testing;

namespace {

constexpr Rescale kRescales[] = {Rescale::kNone, Rescale::kPerChannel, Rescale::kPerSample};
constexpr Layout kLayouts[] = {Layout::kChannelsLast, Layout::kChannelsFirst};

void add(Terms* terms, const std::vector<int64_t>& space, int64_t channels, Layout layout, DataType type, Steps* draw,
         int64_t batch = 2) {
  terms->add(shape_of(batch, space, channels, layout), type, {channels}, DataType::kFloat32, std::ref(*draw));
}

// Several waves of a rescaled run, and several tiles of each term.
Terms large_terms(Layout layout, DataType type, Steps* draw) {
  Terms terms;
  add(&terms, {48, 52}, 300, layout, type, draw);
  add(&terms, {48, 52}, 24, layout, type, draw);
  add(&terms, {33, 31}, 3, layout, type, draw);
  add(&terms, {130, 131}, 1, layout, type, draw);
  add(&terms, {4, 4}, 2051, layout, type, draw);
  return terms;
}

void many_tiles_and_waves() {
  Steps draw(1);
  for (const Rescale rescale : kRescales) {
    for (const Layout layout : kLayouts) {
      for (const DataType type : {DataType::kFloat16, DataType::kFloat64}) {
        Options options;
        options.rescale = rescale;
        options.layout = layout;
        check_terms(large_terms(layout, type, &draw), {21, 30}, options);
      }
    }
  }
}

void every_count_of_channels() {
  Steps draw(2);
  for (const Rescale rescale : kRescales) {
    for (const Layout layout : kLayouts) {
      Options options;
      options.rescale = rescale;
      options.layout = layout;
      options.rectifier = Rectifier::kIdentity;
      for (const int64_t channels : {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 33, 127, 129, 1023, 1025}) {
        for (const std::vector<int64_t>& space : {std::vector<int64_t>{1}, {5}, {67}}) {
          Terms terms;
          add(&terms, space, channels, layout, DataType::kFloat32, &draw);
          check_terms(terms, space, options);
        }
      }
    }
  }
}

void types_side_by_side() {
  Steps draw(3);
  for (const std::vector<DataType>& types :
       {std::vector<DataType>{DataType::kFloat16, DataType::kBFloat16, DataType::kFloat32},
        {DataType::kFloat32, DataType::kFloat64, DataType::kFloat32}}) {
    Terms terms;
    for (const DataType type : types) add(&terms, {5, 6}, 7, Layout::kChannelsLast, type, &draw);
    check_terms(terms, {9, 4}, {});
  }
}

// As ops of one graph share TensorFlow's threads.
void calls_at_once() {
  Steps draw(4);
  Options options;
  options.rescale = Rescale::kPerChannel;
  const Terms terms = large_terms(Layout::kChannelsLast, DataType::kFloat32, &draw);
  const Problem problem = problem_of(terms, {40, 40}, options);
  const std::vector<char> alone = run(problem, one_thread);
  ThreadPool pool(4);
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      for (int call = 0; call < 3; ++call) {
        check(run(problem, pool.parallel_for()) == alone, "other bits beside another call");
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

}  // namespace

int main() {
  many_tiles_and_waves();
  every_count_of_channels();
  types_side_by_side();
  calls_at_once();
}
