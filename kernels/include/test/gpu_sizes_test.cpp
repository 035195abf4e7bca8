// Results whose sizes depend on data, on the device, emulated, against plain loops.
#include <algorithm>
#include <functional>
#include <map>

#include "../ait/gpu/boxes.h"
#include "../ait/gpu/compact.h"
#include "../ait/gpu/unique.h"
#include "gpu_check.h"

using test::launch;

namespace {

test::Random rng;

void compaction(int64_t n, int64_t chunk, int64_t below) {
  std::vector<int32_t> x(static_cast<size_t>(n));
  std::vector<int64_t> want;
  for (int64_t i = 0; i < n; i++) {
    x[static_cast<size_t>(i)] = static_cast<int32_t>(rng.below(below));
    if (x[static_cast<size_t>(i)] != 0) want.push_back(i);
  }
  const int64_t chunks = (n + chunk - 1) / chunk;
  std::vector<int64_t> sums(static_cast<size_t>(chunks)), found(want.size());
  int64_t total = -1;
  const auto holds = [&](int64_t i) { return g::is_set(x[static_cast<size_t>(i)]); };
  launch(chunks, 1, 128, [&] {
    AIT_SHARED int counts[128 / g::kWarp];
    g::count_chunk(n, chunk, sums.data(), counts, holds);
  });
  launch(1, 1, 128, [&] {
    AIT_SHARED int64_t shared[128 / g::kWarp];
    g::sums_before(chunks, sums.data(), &total, shared);
  });
  test::check(total == static_cast<int64_t>(want.size()), "count", n);
  launch(chunks, 1, 128, [&] {
    AIT_SHARED int counts[128 / g::kWarp];
    const int64_t begin = g::block_x() * chunk;
    g::place_chunk(begin, std::min(n, begin + chunk), sums[static_cast<size_t>(g::block_x())], counts, holds,
                   [&](int64_t i, int64_t at) { found[static_cast<size_t>(at)] = i; });
  });
  test::check(found == want, "places", n);
}

template <bool SORTED>
void distinct(int64_t outer, int64_t n, int64_t inner, int64_t below) {
  std::vector<float> x(static_cast<size_t>(outer * n * inner));
  // The largest is no number.
  for (float& v : x) v = rng.below(below) == below - 1 ? NAN : static_cast<float>(rng.below(below));
  const auto slice = [&](int64_t i) {
    std::vector<float> all;
    for (int64_t o = 0; o < outer; o++)
      for (int64_t k = 0; k < inner; k++) {
        const float v = x[static_cast<size_t>((o * n + i) * inner + k)];
        all.push_back(std::isnan(v) ? 1e30f : v);
      }
    return all;
  };
  std::map<std::vector<float>, int64_t> places;
  std::vector<std::vector<float>> order;
  for (int64_t i = 0; i < n; i++)
    if (places.emplace(slice(i), i).second) order.push_back(slice(i));
  if (SORTED) std::sort(order.begin(), order.end());
  const auto size = static_cast<size_t>(n);
  std::vector<int64_t> first(size), which(size), counts(size);
  std::vector<int32_t> scratch(2 * size), starts(size), names(size);
  int64_t number = -1;
  launch(1, 1, 64, [&] {
    AIT_SHARED int shared[64 / g::kWarp];
    g::unique<SORTED>(g::Slices<float>{x.data(), outer, n, inner}, &number, first.data(), which.data(),
                      counts.data(), scratch.data(), starts.data(), names.data(), shared);
  });
  if (!test::check(number == static_cast<int64_t>(order.size()), "distinct", n)) return;
  for (size_t d = 0; d < order.size(); d++) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
      if (slice(i) != order[d]) continue;
      count++;
      test::check(which[static_cast<size_t>(i)] == static_cast<int64_t>(d), "which", i);
    }
    test::check(first[d] == places[order[d]] && counts[d] == count, "first and counts", n);
  }
}

void suppression(int64_t images, int64_t classes, int64_t n, int64_t limit, float most, const float* least,
                 bool centre) {
  std::vector<float> boxes = rng.floats(images * n * 4, 0, 4), scores;
  for (int64_t i = 0; i < images * classes * n; i++) scores.push_back(static_cast<float>(rng.below(50)) / 50);
  std::vector<int64_t> want;
  const int64_t problems = images * classes;
  for (int64_t p = 0; p < problems; p++) {
    const float *score = scores.data() + p * n, *box = boxes.data() + p / classes * n * 4;
    std::vector<int64_t> left, kept;
    for (int64_t i = 0; i < n; i++)
      if (least == nullptr || score[i] > *least) left.push_back(i);
    std::stable_sort(left.begin(), left.end(), [&](int64_t a, int64_t b) { return score[a] > score[b]; });
    for (int64_t i : left) {
      if (static_cast<int64_t>(kept.size()) == limit) break;
      const bool free = std::none_of(kept.begin(), kept.end(), [&](int64_t k) {
        const auto corners = [&](int64_t at) { return ait::corners_of(box + at * 4, centre); };
        return ait::overlap(corners(i), corners(k), std::multiplies<float>()) > most;
      });
      if (!free) continue;
      kept.push_back(i);
      want.insert(want.end(), {p / classes, p % classes, i});
    }
  }
  const g::Suppression all{problems, classes, n, limit, most, least, centre};
  std::vector<int32_t> order(static_cast<size_t>(problems * 2 * n));
  std::vector<int64_t> kept(static_cast<size_t>(problems)),
      rows(static_cast<size_t>(problems * limit * 3), -1);
  int64_t number = -1;
  launch(problems, 1, 64, [&] {
    AIT_SHARED int shared[64 / g::kWarp];
    const int64_t own = g::block_x();
    const int64_t found = g::suppress(all, boxes.data() + own / classes * n * 4, scores.data() + own * n,
                                      order.data() + own * 2 * n, shared);
    if (g::thread() == 0) kept[static_cast<size_t>(own)] = found;
  });
  launch(problems, 1, 64, [&] {
    AIT_SHARED int64_t shared[64 / g::kWarp];
    g::write_kept(all, order.data(), kept.data(), &number, rows.data(), shared);
  });
  test::check(number * 3 == static_cast<int64_t>(want.size()), "boxes kept", n);
  rows.resize(want.size());
  test::check(rows == want, "rows", n);
}

}  // namespace

int main() {
  for (int64_t n : {1, 127, 128, 129, 1000, 5000}) {
    compaction(n, 256, 3);
    compaction(n, n, 2);
  }
  compaction(3000, 100, 1);
  compaction(50000, 200, 9);
  distinct<true>(1, 1, 1, 3);
  distinct<true>(1, 300, 1, 20);
  distinct<false>(1, 300, 1, 200);
  distinct<true>(2, 90, 3, 2);
  distinct<false>(3, 65, 1, 3);
  const float least = 0.3f, none = 2;
  suppression(1, 1, 1, 1, 0.5f, nullptr, false);
  suppression(2, 3, 200, 200, 0.1f, nullptr, false);
  suppression(2, 3, 130, 9, 0.2f, &least, true);
  suppression(1, 2, 70, 70, 0, &least, false);
  suppression(1, 2, 70, 70, 0.5f, &none, false);
  return test::summary();
}
