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

/// f(row, column, sum) of what a lane holds.
template <int ROWS, class SUMS, class F>
void visit(SUMS& sums, F f) {
  for (int i = 0; i < ROWS / SUMS::kStripRows; i++)
    sums.visit_strip(i, [&](int slot, int column, auto& run) {
      if (SUMS::row_of(slot) / SUMS::kStripRows != i) check(false, "rows of a strip");
      for (auto x : run) f(SUMS::row_of(slot), column++, x);
    });
}

template <class U, class V, int ROWS, int COLUMNS, bool LEFT_ACROSS, bool RIGHT_ACROSS>
void multiplies(const char* what) {
  using T = MatrixStored<U>;
  using R = MatrixStored<V>;
  using S = MatrixSum<U>;
  constexpr int depth = 64, all_rows = 64, all_columns = 64;
  test::Random random;
  const auto a = values(random, all_rows * depth, !kSame<U, uint8_t>);
  const auto b = values(random, all_columns * depth, !kSame<V, uint8_t>);
  const auto left = stored<U>(a);
  const auto right = stored<V>(b);
  const auto want = product(a, b, all_rows, all_columns, depth);
  std::vector<double> got(want.size(), NAN);
  const int warps = all_rows / ROWS * (all_columns / COLUMNS);
  const char* error = launch(warps * kWarp, (all_rows + all_columns) * depth * sizeof(T), [&] {
    const SwizzledTile<T, depth> tile_a{reinterpret_cast<T*>(dynamic_shared())};
    const SwizzledTile<R, depth> tile_b{reinterpret_cast<R*>(tile_a.base + all_rows * depth)};
    const int row = warp() / (all_columns / COLUMNS) * ROWS,
              column = warp() % (all_columns / COLUMNS) * COLUMNS;
    fill<LEFT_ACROSS>(tile_a, left, all_rows, depth);
    fill<RIGHT_ACROSS>(tile_b, right, all_columns, depth);
    barrier();
    TileSums<U, ROWS, COLUMNS> sums;
    sums.clear();
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
    visit<ROWS>(sums, [&](int r, int c, S sum) {
      double& to = got[static_cast<size_t>((row + r) * all_columns + column + c)];
      to = std::isnan(to) ? static_cast<double>(sum) : 1e9;
    });
  });
  check(!error, error ? error : what);
  test::all_near(got, want, 0, 0, what);
}

template <class U>
void every_way(const char* what) {
  multiplies<U, U, 64, 32, false, false>(what);
  multiplies<U, U, 32, 64, false, true>(what);
  multiplies<U, U, 16, 16, true, false>(what);
  multiplies<U, U, 64, 64, true, true>(what);
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
    sums.clear();
    LeftFragment<tf32, 16> x;
    RightFragment<tf32, 16> z;
    x.load(a, 0, 0), z.load(b, 0, 0), sums.add(x, z);
    visit<16>(sums, [&](int r, int c, float s) { y[static_cast<size_t>(r * 16 + c)] = s; });
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
  multiplies<uint8_t, int8_t, 32, 32, false, false>("uint8 by int8");
  multiplies<int8_t, uint8_t, 32, 32, false, true>("int8 by uint8");
#endif
  rounding();
  return test::summary();
}
