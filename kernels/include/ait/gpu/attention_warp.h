#pragma once
#include "attention_shape.h"

// A warp's share of attention: some times 16 rows of scores and sums, by matrix instructions.
//
// A lane has parts of kLaneRows rows: row row_of(i) and the columns column_of(n), step_of(n) behind the
// first. From kFirstMask to kLastMask are the bits by which the lanes differ that share a row.
namespace ait::gpu {

#if defined(AIT_MFMA)

template <class T, int kTiles, int kD, int kE, int kKeys>
struct WarpTile {
  static constexpr int kLaneRows = kTiles, kScores = kKeys / 4, kSums = kE / 4;
  static constexpr int kFirstMask = 16, kLastMask = 32;
  float s[kTiles][kKeys / 16][4];
  float o[kTiles][kE / 16][4];

  AIT_DEVICE static int row_of(int i) { return 16 * i + lane() % 16; }
  AIT_DEVICE static constexpr int step_of(int n) { return n / 4 * 16 + n % 4; }
  AIT_DEVICE static int column_of(int n) { return lane() / 16 * 4 + step_of(n); }
  AIT_DEVICE float& score(int i, int n) { return s[i][n / 4][n % 4]; }
  AIT_DEVICE float& sum(int i, int n) { return o[i][n / 4][n % 4]; }
  AIT_DEVICE void keep_queries(const T*, int) {}
  /// s = q k^T: the keys are the rows of the product, so that each lane ends with scores of one query, in
  /// the order in which the second product takes them.
  AIT_DEVICE void multiply_keys(const T* q, int q_pitch, const T* k, int pitch) {
    AIT_UNROLL
    for (int m = 0; m < kTiles; m++) {
      AIT_UNROLL
      for (int n = 0; n < kScores; n++) score(m, n) = 0;
    }
    AIT_UNROLL
    for (int d = 0; d < kD; d += 16) {
      const int at = d + lane() / 16 * 4;
      Vec<T, 4> b[kTiles];
      AIT_UNROLL
      for (int m = 0; m < kTiles; m++) b[m] = load<4>(q + (16 * m + lane() % 16) * q_pitch + at);
      AIT_UNROLL
      for (int j = 0; j < kKeys / 16; j++) {
        const Vec<T, 4> a = load<4>(k + (j * 16 + lane() % 16) * pitch + at);
        AIT_UNROLL
        for (int m = 0; m < kTiles; m++) mfma(s[m][j], a.v, b[m].v);
      }
    }
  }
  /// o += p v, where p are the scores.
  AIT_DEVICE void multiply_values(const T* v, int pitch) {
    AIT_UNROLL
    for (int j = 0; j < kKeys / 16; j++) {
      T b[kTiles][4];
      AIT_UNROLL
      for (int m = 0; m < kTiles; m++) {
        AIT_UNROLL
        for (int i = 0; i < 4; i++) b[m][i] = from_f32<T>(s[m][j][i]);
      }
      AIT_UNROLL
      for (int e = 0; e < kE / 16; e++) {
        T a[4];
        AIT_UNROLL
        for (int i = 0; i < 4; i++) a[i] = v[(j * 16 + lane() / 16 * 4 + i) * pitch + e * 16 + lane() % 16];
        AIT_UNROLL
        for (int m = 0; m < kTiles; m++) mfma(o[m][e], a, b[m]);
      }
    }
  }
};

#else

template <class T, int kTiles, int kD, int kE, int kKeys>
struct WarpTile {
  static constexpr int kLaneRows = 2 * kTiles, kScores = kKeys / 4, kSums = kE / 4;
  static constexpr int kFirstMask = 1, kLastMask = 2;
  static constexpr bool kKeepsQueries = kD * kTiles <= 128;
  float s[kTiles][kKeys / 8][4];
  float o[kTiles][kE / 8][4];
  uint32_t queries[kKeepsQueries ? kD / 16 : 1][kTiles][4];

  AIT_DEVICE static int row_of(int i) { return i / 2 * 16 + i % 2 * 8 + lane() / 4; }
  AIT_DEVICE static constexpr int step_of(int n) { return n / 2 * 8 + n % 2; }
  AIT_DEVICE static int column_of(int n) { return lane() % 4 * 2 + step_of(n); }
  AIT_DEVICE float& score(int i, int n) { return s[i / 2][n / 2][i % 2 * 2 + n % 2]; }
  AIT_DEVICE float& sum(int i, int n) { return o[i / 2][n / 2][i % 2 * 2 + n % 2]; }
  AIT_DEVICE static void load_queries(uint32_t (&a)[kTiles][4], const T* q, int pitch, int d) {
    AIT_UNROLL
    for (int m = 0; m < kTiles; m++)
      ldmatrix_x4(a[m], q + (16 * m + lane() % 16) * pitch + d + lane() / 16 * 8);
  }
  AIT_DEVICE void keep_queries(const T* q, int pitch) {
    if constexpr (kKeepsQueries) {
      AIT_UNROLL
      for (int d = 0; d < kD; d += 16) load_queries(queries[d / 16], q, pitch, d);
    }
  }
  AIT_DEVICE void multiply_keys(const T* q, int q_pitch, const T* k, int pitch) {
    AIT_UNROLL
    for (int i = 0; i < kLaneRows; i++) {
      AIT_UNROLL
      for (int n = 0; n < kScores; n++) score(i, n) = 0;
    }
    k += (lane() % 8 + lane() / 16 * 8) * pitch + lane() / 8 % 2 * 8;
    AIT_UNROLL
    for (int d = 0; d < kD; d += 16) {
      uint32_t a[kTiles][4];
      if constexpr (kKeepsQueries) {
        AIT_UNROLL
        for (int m = 0; m < kTiles; m++) {
          AIT_UNROLL
          for (int i = 0; i < 4; i++) a[m][i] = queries[d / 16][m][i];
        }
      } else {
        load_queries(a, q, q_pitch, d);
      }
      AIT_UNROLL
      for (int j = 0; j < kKeys / 16; j++) {
        uint32_t b[4];
        ldmatrix_x4(b, k + j * 16 * pitch + d);
        const uint32_t first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
        AIT_UNROLL
        for (int m = 0; m < kTiles; m++) {
          mma(s[m][2 * j], a[m], first, T{});
          mma(s[m][2 * j + 1], a[m], second, T{});
        }
      }
    }
  }
  AIT_DEVICE void multiply_values(const T* v, int pitch) {
    v += lane() % 16 * pitch + lane() / 16 * 8;
    AIT_UNROLL
    for (int j = 0; j < kKeys / 16; j++) {
      uint32_t a[kTiles][4];
      AIT_UNROLL
      for (int m = 0; m < kTiles; m++) {
        AIT_UNROLL
        for (int i = 0; i < 4; i++) {
          const float(&two)[4] = s[m][2 * j + i / 2];
          a[m][i] = pack2<T>(two[i % 2 * 2], two[i % 2 * 2 + 1]);
        }
      }
      AIT_UNROLL
      for (int e = 0; e < kE / 16; e++) {
        uint32_t b[4];
        ldmatrix_x4_trans(b, v + j * 16 * pitch + e * 16);
        const uint32_t first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
        AIT_UNROLL
        for (int m = 0; m < kTiles; m++) {
          mma(o[m][2 * e], a[m], first, T{});
          mma(o[m][2 * e + 1], a[m], second, T{});
        }
      }
    }
  }
};

#endif

}  // namespace ait::gpu
