#pragma once
// Warp products by AMD's matrix instructions of 16 x 16 results: see mma_tile.h. Operands change places, so
// that a lane holds four neighbouring columns of one row.
namespace ait::gpu {

/// Contracted elements of one step.
template <class U>
constexpr int kUnitDepth = sizeof(MatrixStored<U>) == 1 ? 32 : 16;

namespace detail {

/// What the instruction takes. It knows signed bytes only: 128 less than unsigned ones.
template <class U>
struct Taken {
  using type = MatrixStored<U>;
  static AIT_DEVICE type of(type x) { return x; }
};
template <>
struct Taken<uint8_t> {
  using type = int8_t;
  template <class T>
  static AIT_DEVICE int8_t of(T x) {
    return static_cast<int8_t>(static_cast<uint8_t>(x) ^ 0x80u);
  }
};

/// Lane l has line l % 16 of every 16, and of every 16 steps of k the four from 4 (l / 16) on.
template <class U, int LINES>
struct WideFragment {
  using T = typename Taken<U>::type;
  static constexpr int kCalls = kUnitDepth<U> / 16;
  static constexpr int kChunk = static_cast<int>(16 / sizeof(T));
  static_assert(LINES % 16 == 0, "lines of a matrix instruction");

  T v[LINES / 16][kCalls][4];

  template <class TILE>
  AIT_DEVICE void load(const TILE& t, int line, int k) {
    AIT_UNROLL
    for (int i = 0; i < LINES / 16; i++) {
      AIT_UNROLL
      for (int c = 0; c < kCalls; c++) {
        const auto four = gpu::load<4>(t.at(line + 16 * i + lane() % 16, k + 16 * c + lane() / 16 * 4));
        AIT_UNROLL
        for (int e = 0; e < 4; e++) v[i][c][e] = Taken<U>::of(four[e]);
      }
    }
  }
  template <class TILE>
  AIT_DEVICE void load_across(const TILE& t, int k, int line) {
    AIT_UNROLL
    for (int i = 0; i < LINES / 16; i++) {
      AIT_UNROLL
      for (int c = 0; c < kCalls; c++) {
        AIT_UNROLL
        for (int e = 0; e < 4; e++)
          v[i][c][e] = Taken<U>::of(*t.at(k + 16 * c + lane() / 16 * 4 + e, line + 16 * i + lane() % 16));
      }
    }
  }
};

}  // namespace detail

template <class U, int ROWS>
struct LeftFragment : detail::WideFragment<U, ROWS> {};
template <class U, int COLUMNS>
struct RightFragment : detail::WideFragment<U, COLUMNS> {};

template <class U, int ROWS, int COLUMNS>
struct TileSums {
  using S = MatrixSum<U>;
  /// Neighbouring columns that a lane holds.
  static constexpr int kRun = 4;
  static constexpr int kStripRows = 16;

  S s[ROWS / 16][COLUMNS / 16][4];

  AIT_DEVICE void clear() { detail::clear(s); }
  template <class V>
  AIT_DEVICE void add(const LeftFragment<U, ROWS>& a, const RightFragment<V, COLUMNS>& b) {
    AIT_UNROLL
    for (int c = 0; c < a.kCalls; c++) {
      AIT_UNROLL
      for (int i = 0; i < ROWS / 16; i++) {
        AIT_UNROLL
        for (int j = 0; j < COLUMNS / 16; j++) mfma(s[i][j], b.v[j][c], a.v[i][c]);
      }
    }
  }

  static AIT_DEVICE int row_of(int slot) { return slot * 16 + lane() % 16; }
  /// f(slot, column, run): kRun neighbouring sums of row row_of(slot), in strip i, rows 16 i and on.
  template <class F>
  AIT_DEVICE void visit_strip(int i, F f) {
    AIT_UNROLL
    for (int j = 0; j < COLUMNS / 16; j++) f(i, 16 * j + lane() / 16 * 4, s[i][j]);
  }
};

/// Sums of the rows of left operands of 8-bit integers over the contracted extent: products with ones.
template <class U, int ROWS>
struct RowSums {
  int32_t s[ROWS / 16][4];

  AIT_DEVICE RowSums() { detail::clear(s); }
  AIT_DEVICE void add(const LeftFragment<U, ROWS>& a) {
    const int8_t ones[4] = {1, 1, 1, 1};
    AIT_UNROLL
    for (int c = 0; c < a.kCalls; c++) {
      AIT_UNROLL
      for (int i = 0; i < ROWS / 16; i++) mfma(s[i], ones, a.v[i][c]);
    }
  }
  /// That of row TileSums::row_of(slot).
  AIT_DEVICE int32_t of(int slot) const { return s[slot][0]; }
};

}  // namespace ait::gpu
