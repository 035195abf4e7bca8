// Products of tiles by one warp against plain loops: exact, because all values are small integers.
#include <vector>

#include "../ait/gpu/mma_tile.h"
#include "gpu_check.h"

using namespace ait;
using namespace ait::gpu;
using test::check;

namespace {

template <class F>
const char* launch(int threads, size_t shared, const F& kernel) {
  return test::emulate(1, 1, 1, threads, static_cast<int64_t>(shared), kernel);
}

template <class U>
std::vector<MatrixStored<U>> stored(const std::vector<float>& x) {
  std::vector<MatrixStored<U>> v;
  for (float f : x) v.push_back(from_f32<MatrixStored<U>>(f));
  return v;
}

std::vector<float> values(test::Random& random, int n, bool negative) {
  std::vector<float> v(static_cast<size_t>(n));
  for (float& x : v) x = static_cast<float>(random.below(15) - (negative ? 7 : 0));
  return v;
}

/// a: rows x depth, b: columns x depth, whichever way they lie in shared memory.
std::vector<double> product(const std::vector<float>& a, const std::vector<float>& b, int rows, int columns,
                            int depth) {
  std::vector<double> y(static_cast<size_t>(rows * columns));
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < columns; j++)
      for (int k = 0; k < depth; k++)
        y[static_cast<size_t>(i * columns + j)] +=
            a[static_cast<size_t>(i * depth + k)] * b[static_cast<size_t>(j * depth + k)];
  return y;
}

/// Elements of a matrix of `lines` x `depth` in shared memory, turned when its lines are steps of k.
template <bool ACROSS, class TILE, class T>
void fill(const TILE& tile, const std::vector<T>& x, int lines, int depth) {
  for (int i = thread(); i < lines * depth; i += threads()) {
    const int line = i / depth, k = i % depth;
    *(ACROSS ? tile.at(k, line) : tile.at(line, k)) = x[static_cast<size_t>(i)];
  }
}

template <class U, class V, int ROWS, int COLUMNS, bool LEFT_ACROSS, bool RIGHT_ACROSS, bool PADDED>
void multiplies(const char* what) {
  using T = MatrixStored<U>;
  using R = MatrixStored<V>;
  using S = MatrixSum<U>;
  constexpr int depth = 64, all_rows = 64, all_columns = 64;
  constexpr int pad = PADDED ? static_cast<int>(16 / sizeof(T)) : 0;
  test::Random random;
  const auto a = values(random, all_rows * depth, !kSame<U, uint8_t>);
  const auto b = values(random, all_columns * depth, !kSame<V, uint8_t>);
  const auto left = stored<U>(a);
  const auto right = stored<V>(b);
  const auto want = product(a, b, all_rows, all_columns, depth);
  std::vector<double> got(want.size(), NAN);
  const int warps = all_rows / ROWS * (all_columns / COLUMNS);
  const char* error = launch(warps * kWarp, (all_rows + all_columns) * (depth + pad) * sizeof(T), [&] {
    auto* memory = reinterpret_cast<T*>(dynamic_shared());
    auto* second = reinterpret_cast<R*>(memory + all_rows * (depth + pad));
    const int row = warp() / (all_columns / COLUMNS) * ROWS,
              column = warp() % (all_columns / COLUMNS) * COLUMNS;
    const auto run = [&](const auto& tile_a, const auto& tile_b) {
      fill<LEFT_ACROSS>(tile_a, left, all_rows, depth);
      fill<RIGHT_ACROSS>(tile_b, right, all_columns, depth);
      barrier();
      TileSums<U, ROWS, COLUMNS> sums;
      sums.fill(S(0));
      LeftFragment<U, ROWS> x;
      RightFragment<V, COLUMNS> y;
      for (int k = 0; k < depth; k += kUnitDepth<U>) {
        if constexpr (LEFT_ACROSS)
          x.load_across(tile_a, k, row);
        else
          x.load(tile_a, row, k);
        if constexpr (RIGHT_ACROSS)
          y.load_across(tile_b, k, column);
        else
          y.load(tile_b, column, k);
        sums.add(x, y);
      }
      sums.visit([&](int r, int c, S& sum) {
        double& to = got[static_cast<size_t>((row + r) * all_columns + column + c)];
        to = std::isnan(to) ? static_cast<double>(sum) : 1e9;
      });
    };
    if constexpr (PADDED)
      run(PaddedTile<T, depth + pad>{memory}, PaddedTile<R, depth + pad>{second});
    else
      run(SwizzledTile<T, depth>{memory}, SwizzledTile<R, depth>{second});
  });
  check(!error, error ? error : what);
  test::all_near(got, want, 0, 0, what);
}

template <class U>
void every_way(const char* what) {
  multiplies<U, U, 64, 32, false, false, false>(what);
  multiplies<U, U, 32, 64, false, true, false>(what);
  multiplies<U, U, 16, 16, true, false, true>(what);
  multiplies<U, U, 64, 64, true, true, true>(what);
}

/// softmax(a b) c without the softmax: sums become the left operand of the next product, rows are reduced.
template <class U>
void chained(const char* what) {
  using T = MatrixStored<U>;
  constexpr int rows = 32, middle = 48, columns = 32, depth = 32;
  test::Random random;
  const auto a = values(random, rows * depth, true), b = values(random, middle * depth, true),
             c = values(random, columns * middle, true);
  const auto left = stored<U>(a), right = stored<U>(b), third = stored<U>(c);
  auto inner = product(a, b, rows, middle, depth);
  std::vector<double> most(rows, -INFINITY), got_most(rows, NAN);
  std::vector<float> scaled;
  for (size_t i = 0; i < inner.size(); i++) {
    most[i / middle] = std::fmax(most[i / middle], inner[i]);
    // What an 11-bit or 8-bit mantissa holds.
    scaled.push_back(static_cast<float>(static_cast<int>(inner[i]) % 8));
  }
  const auto want = product(scaled, c, rows, columns, middle);
  std::vector<double> got(want.size(), NAN);
  const char* error = launch(kWarp, (rows * depth + middle * depth + 64 * columns) * sizeof(T), [&] {
    auto* memory = reinterpret_cast<T*>(dynamic_shared());
    const SwizzledTile<T, depth> q{memory}, k{memory + rows * depth}, v{memory + (rows + middle) * depth};
    fill<false>(q, left, rows, depth);
    fill<false>(k, right, middle, depth);
    fill<true>(v, third, columns, middle);
    barrier();
    TileSums<U, rows, middle> scores;
    scores.fill(0);
    LeftFragment<U, rows> x;
    RightFragment<U, middle> y;
    for (int i = 0; i < depth; i += kUnitDepth<U>) x.load(q, 0, i), y.load(k, 0, i), scores.add(x, y);
    using Sums = TileSums<U, rows, middle>;
    float highest[Sums::kSlots];
    for (float& h : highest) h = -INFINITY;
    scores.visit_runs([&](int slot, int, float(&run)[Sums::kRun]) {
      for (float& s : run) {
        highest[slot] = Max{}(highest[slot], s);
        s = static_cast<float>(static_cast<int>(s) % 8);
      }
    });
    for (int slot = 0; slot < Sums::kSlots; slot++)
      got_most[static_cast<size_t>(Sums::row_of(slot))] = Sums::across_row(highest[slot], Max{});
    TileSums<U, rows, columns> sums;
    sums.fill(0);
    RightFragment<U, columns> z;
    for (int i = 0; i < middle; i += kUnitDepth<U>) x.take(scores, i), z.load_across(v, i, 0), sums.add(x, z);
    for (int i = 0; i < rows / Sums::kStripRows; i++) {
      sums.visit_strip(i, [&](int slot, int column, auto& run) {
        const int row = Sums::row_of(slot);
        check(row / Sums::kStripRows == i, "rows of a strip");
        int e = 0;
        for (float s : run) got[static_cast<size_t>(row * columns + column + e++)] = s;
      });
    }
  });
  check(!error, error ? error : what);
  test::all_near(got_most, most, 0, 0, what);
  test::all_near(got, want, 0, 0, what);
}

void rounding() {
#if !defined(AIT_MFMA)
  // 1 + 2^-11 rounds up to 1 + 2^-10 in tf32; without rounding it would be cut to 1.
  std::vector<float> y(256);
  const char* error = launch(kWarp, 2 * 16 * 8 * 4, [&] {
    const SwizzledTile<float, 8> a{reinterpret_cast<float*>(dynamic_shared())}, b{a.base + 128};
    for (int i = thread(); i < 128; i += kWarp) *a.at(i / 8, i % 8) = 1 + 0x1p-11f, *b.at(i / 8, i % 8) = 1;
    barrier();
    TileSums<tf32, 16, 16> sums;
    sums.fill(0);
    LeftFragment<tf32, 16> x;
    RightFragment<tf32, 16> z;
    x.load(a, 0, 0), z.load(b, 0, 0), sums.add(x, z);
    sums.visit([&](int r, int c, float& s) { y[static_cast<size_t>(r * 16 + c)] = s; });
  });
  bool ok = !error;
  for (float s : y) ok &= s == 8 + 0x1p-7f;
  check(ok, "floats are rounded to tf32");
#endif
}

}  // namespace

int main() {
  every_way<f16>("f16");
  every_way<bf16>("bf16");
  every_way<tf32>("tf32");
  every_way<int8_t>("int8");
  every_way<float>("float");
#if !defined(AIT_MFMA)
  every_way<uint8_t>("uint8");
  every_way<double>("double");
  multiplies<uint8_t, int8_t, 32, 32, false, false, false>("uint8 by int8");
  multiplies<int8_t, uint8_t, 32, 32, false, true, true>("int8 by uint8");
#endif
  chained<f16>("f16, chained");
  chained<bf16>("bf16, chained");
  chained<tf32>("tf32, chained");
  chained<float>("float, chained");
  rounding();
  return test::summary();
}
