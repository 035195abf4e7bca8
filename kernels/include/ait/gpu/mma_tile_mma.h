#pragma once
// Warp products by mma.sync and ldmatrix: see mma_tile.h.
namespace ait::gpu {

/// Contracted elements of one step: 32 bytes for an instruction, 16 for ordinary arithmetic.
template <class U>
constexpr int kUnitDepth =
    (kSame<U, float> || kSame<U, double> ? 16 : 32) / static_cast<int>(sizeof(MatrixStored<U>));

namespace detail {

/// A register of a fragment: 4 bytes of a line. Floats are rounded to what the unit takes.
template <class U>
AIT_DEVICE uint32_t as_register(uint32_t r) {
  if constexpr (kSame<U, tf32>)
    return ait::detail::f32_to_tf32(ait::detail::as_float(r));
  else
    return r;
}

/// The register with elements [k, k + n) of line i of a tile whose lines are steps of k.
template <class U, class TILE>
AIT_DEVICE uint32_t gather(const TILE& t, int k, int i) {
  if constexpr (sizeof(MatrixStored<U>) == 4) {
    return as_register<U>(ait::detail::as_bits(*t.at(k, i)));
  } else {
    uint32_t r = 0;
    AIT_UNROLL
    for (int e = 0; e < 4; e++) r |= static_cast<uint32_t>(static_cast<uint8_t>(*t.at(k + e, i))) << 8 * e;
    return r;
  }
}

}  // namespace detail

template <class U, int ROWS>
struct LeftFragment {
  using T = MatrixStored<U>;
  static constexpr int kChunk = static_cast<int>(16 / sizeof(T));
  static_assert(ROWS % 16 == 0, "rows of a matrix instruction");

  uint32_t r[ROWS / 16][4];

  /// Rows [row, row + ROWS) of a tile whose lines are rows, from element k on.
  template <class TILE>
  AIT_DEVICE void load(const TILE& t, int row, int k) {
    AIT_UNROLL
    for (int i = 0; i < ROWS / 16; i++) {
      ldmatrix_x4(r[i], t.chunk(row + 16 * i + (lane() & 15), k / kChunk + (lane() >> 4)));
      AIT_UNROLL
      for (uint32_t& x : r[i]) x = detail::as_register<U>(x);
    }
  }
  /// The same of a tile whose lines are steps of k.
  template <class TILE>
  AIT_DEVICE void load_across(const TILE& t, int k, int row) {
    AIT_UNROLL
    for (int i = 0; i < ROWS / 16; i++) {
      if constexpr (sizeof(T) == 2) {
        const int line = k + (lane() & 7) + (lane() >> 4) * 8;
        ldmatrix_x4_trans(r[i], t.chunk(line, row / 8 + 2 * i + (lane() >> 3 & 1)));
      } else {
        AIT_UNROLL
        for (int x = 0; x < 4; x++)
          r[i][x] = detail::gather<U>(t, k + x / 2 * kChunk + lane() % 4 * (kChunk / 4),
                                      row + 16 * i + x % 2 * 8 + lane() / 4);
      }
    }
  }
};

template <class U, int COLUMNS>
struct RightFragment {
  using T = MatrixStored<U>;
  static constexpr int kChunk = static_cast<int>(16 / sizeof(T));
  static_assert(COLUMNS % 16 == 0, "columns of two matrix instructions");

  uint32_t r[COLUMNS / 8][2];

  /// Columns [column, column + COLUMNS) of a tile whose lines are columns, from element k on.
  template <class TILE>
  AIT_DEVICE void load(const TILE& t, int column, int k) {
    AIT_UNROLL
    for (int j = 0; j < COLUMNS / 8; j += 2) {
      uint32_t both[4];
      const int line = column + 8 * j + (lane() & 7) + (lane() >> 4) * 8;
      ldmatrix_x4(both, t.chunk(line, k / kChunk + (lane() >> 3 & 1)));
      AIT_UNROLL
      for (int x = 0; x < 4; x++) r[j + x / 2][x % 2] = detail::as_register<U>(both[x]);
    }
  }
  /// The same of a tile whose lines are steps of k.
  template <class TILE>
  AIT_DEVICE void load_across(const TILE& t, int k, int column) {
    AIT_UNROLL
    for (int j = 0; j < COLUMNS / 8; j += 2) {
      if constexpr (sizeof(T) == 2) {
        uint32_t both[4];
        ldmatrix_x4_trans(both, t.chunk(k + (lane() & 15), column / 8 + j + (lane() >> 4)));
        AIT_UNROLL
        for (int x = 0; x < 4; x++) r[j + x / 2][x % 2] = both[x];
      } else {
        AIT_UNROLL
        for (int x = 0; x < 4; x++)
          r[j + x / 2][x % 2] = detail::gather<U>(t, k + x % 2 * kChunk + lane() % 4 * (kChunk / 4),
                                                  column + 8 * (j + x / 2) + lane() / 4);
      }
    }
  }
};

template <class U, int ROWS, int COLUMNS>
struct TileSums {
  using S = MatrixSum<U>;
  /// Neighbouring columns that a lane holds.
  static constexpr int kRun = 2;
  static constexpr int kStripRows = 16;

  S s[ROWS / 16][COLUMNS / 8][4];

  AIT_DEVICE void clear() { detail::clear(s); }
  template <class V>
  AIT_DEVICE void add(const LeftFragment<U, ROWS>& a, const RightFragment<V, COLUMNS>& b) {
    AIT_UNROLL
    for (int j = 0; j < COLUMNS / 8; j++) {
      AIT_UNROLL
      for (int i = 0; i < ROWS / 16; i++) {
        if constexpr (sizeof(U) == 1)
          mma(s[i][j], a.r[i], b.r[j], U{}, V{});
        else
          mma(s[i][j], a.r[i], b.r[j], U{});
      }
    }
  }

  static AIT_DEVICE int row_of(int slot) { return slot / 2 * 16 + slot % 2 * 8 + lane() / 4; }
  /// f(slot, column, run): kRun neighbouring sums of row row_of(slot), in strip i, rows 16 i and on.
  template <class F>
  AIT_DEVICE void visit_strip(int i, F f) {
    AIT_UNROLL
    for (int h = 0; h < 2; h++) {
      AIT_UNROLL
      for (int j = 0; j < COLUMNS / 8; j++)
        f(2 * i + h, 8 * j + lane() % 4 * 2, *reinterpret_cast<S(*)[2]>(&s[i][j][2 * h]));
    }
  }
};

/// Sums of the rows of left operands of 8-bit integers over the contracted extent: products with ones.
template <class U, int ROWS>
struct RowSums {
  int32_t s[ROWS / 16][4];

  AIT_DEVICE RowSums() { detail::clear(s); }
  AIT_DEVICE void add(const LeftFragment<U, ROWS>& a) {
    const uint32_t ones[2] = {0x01010101u, 0x01010101u};
    AIT_UNROLL
    for (int i = 0; i < ROWS / 16; i++) mma(s[i], a.r[i], ones, U{}, int8_t{});
  }
  /// That of row TileSums::row_of(slot).
  AIT_DEVICE int32_t of(int slot) const { return s[slot / 2][slot % 2 * 2]; }
};

}  // namespace ait::gpu
