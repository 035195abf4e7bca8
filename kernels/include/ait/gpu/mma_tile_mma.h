#pragma once
// Warp products by mma.sync and ldmatrix, and exact ones of float and double by ordinary arithmetic: see
// mma_tile.h.
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
  /// Columns [column, column + kUnitDepth<U>) of another product's sums.
  template <class V, int COLUMNS>
  AIT_DEVICE void take(const TileSums<V, ROWS, COLUMNS>& s, int column) {
    const int j = column / 8;
    AIT_UNROLL
    for (int i = 0; i < ROWS / 16; i++) {
      AIT_UNROLL
      for (int x = 0; x < 4; x++) {
        if constexpr (sizeof(T) == 2) {
          const auto& pair = s.s[i][j + x / 2];
          r[i][x] = pack2<T>(pair[x % 2 * 2], pair[x % 2 * 2 + 1]);
        } else {
          static_assert(kSame<U, tf32>, "sums of floats");
          const int from = (lane() & ~3) + x / 2 * 2 + lane() % 4 / 2;
          const float even = shuffle(s.s[i][j][x % 2 * 2], from);
          const float odd = shuffle(s.s[i][j][x % 2 * 2 + 1], from);
          r[i][x] = ait::detail::f32_to_tf32(lane() % 2 ? odd : even);
        }
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
  /// Neighbouring columns that a lane holds, and rows of which it holds some.
  static constexpr int kRun = 2;
  static constexpr int kSlots = ROWS / 8;
  static constexpr int kStripRows = 16;

  S s[ROWS / 16][COLUMNS / 8][4];

  AIT_DEVICE void fill(S x) {
    AIT_UNROLL
    for (auto& strip : s) {
      AIT_UNROLL
      for (auto& tile : strip) {
        AIT_UNROLL
        for (S& e : tile) e = x;
      }
    }
  }
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
  /// Combines a value over the lanes that hold parts of the same rows.
  template <class T, class F>
  static AIT_DEVICE T across_row(T x, F f) {
    return warp_reduce<4>(x, f);
  }

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
  template <class F>
  AIT_DEVICE void visit_runs(F f) {
    AIT_UNROLL
    for (int i = 0; i < ROWS / 16; i++) visit_strip(i, f);
  }
  /// f(row, column, sum)
  template <class F>
  AIT_DEVICE void visit(F f) {
    visit_runs([&](int slot, int column, S(&run)[kRun]) {
      AIT_UNROLL
      for (int e = 0; e < kRun; e++) f(row_of(slot), column + e, run[e]);
    });
  }
};

/// Sums of the rows of left operands of 8-bit integers over the contracted extent: products with ones.
template <class U, int ROWS>
struct RowSums {
  int32_t s[ROWS / 16][4];

  AIT_DEVICE RowSums() {
    AIT_UNROLL
    for (auto& strip : s) {
      AIT_UNROLL
      for (int32_t& e : strip) e = 0;
    }
  }
  AIT_DEVICE void add(const LeftFragment<U, ROWS>& a) {
    const uint32_t ones[2] = {0x01010101u, 0x01010101u};
    AIT_UNROLL
    for (int i = 0; i < ROWS / 16; i++) mma(s[i], a.r[i], ones, U{}, int8_t{});
  }
  /// That of row TileSums::row_of(slot).
  AIT_DEVICE int32_t of(int slot) const { return s[slot / 2][slot % 2 * 2]; }
};

// ---- Exact: a lane holds every eighth row and every fourth column ---------------------------------------

namespace detail {

template <class T, int LINES, int STRIDE>
struct ExactFragment {
  static constexpr int kDepth = kUnitDepth<T>;
  Vec<T, kDepth> v[LINES / STRIDE];

  template <class TILE>
  AIT_DEVICE void load_lines(const TILE& t, int line, int k) {
    AIT_UNROLL
    for (int i = 0; i < LINES / STRIDE; i++) v[i] = gpu::load<kDepth>(t.chunk(line + STRIDE * i, k / kDepth));
  }
  template <class TILE>
  AIT_DEVICE void load_elements(const TILE& t, int k, int line) {
    AIT_UNROLL
    for (int i = 0; i < LINES / STRIDE; i++) {
      AIT_UNROLL
      for (int e = 0; e < kDepth; e++) v[i][e] = *t.at(k + e, line + STRIDE * i);
    }
  }
};

template <class T, int ROWS>
struct ExactLeft : ExactFragment<T, ROWS, 8> {
  template <class TILE>
  AIT_DEVICE void load(const TILE& t, int row, int k) {
    this->load_lines(t, row + lane() / 4, k);
  }
  template <class TILE>
  AIT_DEVICE void load_across(const TILE& t, int k, int row) {
    this->load_elements(t, k, row + lane() / 4);
  }
  template <int COLUMNS>
  AIT_DEVICE void take(const TileSums<T, ROWS, COLUMNS>& s, int column) {
    AIT_UNROLL
    for (int i = 0; i < ROWS / 8; i++) {
      AIT_UNROLL
      for (int e = 0; e < kUnitDepth<T>; e++)
        this->v[i][e] = shuffle(s.s[i][column / 4], (lane() & ~3) + column % 4 + e);
    }
  }
};

template <class T, int COLUMNS>
struct ExactRight : ExactFragment<T, COLUMNS, 4> {
  template <class TILE>
  AIT_DEVICE void load(const TILE& t, int column, int k) {
    this->load_lines(t, column + lane() % 4, k);
  }
  template <class TILE>
  AIT_DEVICE void load_across(const TILE& t, int k, int column) {
    this->load_elements(t, k, column + lane() % 4);
  }
};

template <class T, int ROWS, int COLUMNS>
struct ExactSums {
  using S = T;
  static constexpr int kRun = 1;
  static constexpr int kSlots = ROWS / 8;
  static constexpr int kStripRows = 16;

  T s[ROWS / 8][COLUMNS / 4];

  AIT_DEVICE void fill(T x) {
    AIT_UNROLL
    for (auto& line : s) {
      AIT_UNROLL
      for (T& e : line) e = x;
    }
  }
  AIT_DEVICE void add(const ExactLeft<T, ROWS>& a, const ExactRight<T, COLUMNS>& b) {
    AIT_UNROLL
    for (int e = 0; e < kUnitDepth<T>; e++) {
      AIT_UNROLL
      for (int i = 0; i < ROWS / 8; i++) {
        AIT_UNROLL
        for (int j = 0; j < COLUMNS / 4; j++) s[i][j] += a.v[i][e] * b.v[j][e];
      }
    }
  }

  static AIT_DEVICE int row_of(int slot) { return slot * 8 + lane() / 4; }
  template <class V, class F>
  static AIT_DEVICE V across_row(V x, F f) {
    return warp_reduce<4>(x, f);
  }
  template <class F>
  AIT_DEVICE void visit_strip(int i, F f) {
    AIT_UNROLL
    for (int h = 0; h < 2; h++) {
      AIT_UNROLL
      for (int j = 0; j < COLUMNS / 4; j++)
        f(2 * i + h, 4 * j + lane() % 4, *reinterpret_cast<T(*)[1]>(&s[2 * i + h][j]));
    }
  }
  template <class F>
  AIT_DEVICE void visit_runs(F f) {
    AIT_UNROLL
    for (int i = 0; i < ROWS / 16; i++) visit_strip(i, f);
  }
  template <class F>
  AIT_DEVICE void visit(F f) {
    visit_runs([&](int slot, int column, T(&run)[1]) { f(row_of(slot), column, run[0]); });
  }
};

}  // namespace detail

template <int ROWS>
struct LeftFragment<float, ROWS> : detail::ExactLeft<float, ROWS> {};
template <int ROWS>
struct LeftFragment<double, ROWS> : detail::ExactLeft<double, ROWS> {};
template <int COLUMNS>
struct RightFragment<float, COLUMNS> : detail::ExactRight<float, COLUMNS> {};
template <int COLUMNS>
struct RightFragment<double, COLUMNS> : detail::ExactRight<double, COLUMNS> {};
template <int ROWS, int COLUMNS>
struct TileSums<float, ROWS, COLUMNS> : detail::ExactSums<float, ROWS, COLUMNS> {};
template <int ROWS, int COLUMNS>
struct TileSums<double, ROWS, COLUMNS> : detail::ExactSums<double, ROWS, COLUMNS> {};

}  // namespace ait::gpu
