#pragma once
// Exact warp products of float and double by ordinary arithmetic, for mma_tile.h: a lane holds every eighth
// row and every fourth column.
namespace ait::gpu {

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
  static constexpr int kStripRows = 16;

  T s[ROWS / 8][COLUMNS / 4];

  AIT_DEVICE void clear() { detail::clear(s); }
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
  template <class F>
  AIT_DEVICE void visit_strip(int i, F f) {
    AIT_UNROLL
    for (int h = 0; h < 2; h++) {
      AIT_UNROLL
      for (int j = 0; j < COLUMNS / 4; j++)
        f(2 * i + h, 4 * j + lane() % 4, *reinterpret_cast<T(*)[1]>(&s[2 * i + h][j]));
    }
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
