#pragma once
#include "mma_tile.h"
#include "operand.h"

// Tiled products of matrices: slabs of both operands stream through shared memory, a warp multiplies its part
// of the tile, and results leave through a strip of shared memory in whole vectors.
namespace ait::gpu {

/// A tile of BM x BN results by WM x WN warps; slabs of BK, STAGES of them in flight.
template <int BM, int BN, int BK, int WM, int WN, int STAGES>
struct Tiling {
  static constexpr int kRows = BM;
  static constexpr int kColumns = BN;
  static constexpr int kDepth = BK;
  static constexpr int kWarpRows = BM / WM;
  static constexpr int kWarpColumns = BN / WN;
  static constexpr int kWarpsAcross = WN;
  static constexpr int kStages = STAGES;
  static constexpr int kThreads = WM * WN * kWarp;
};

/// Rows of a strip, and what a row of it takes: two words more than it holds, against collisions.
constexpr int kStripRows = 16;
template <class G>
constexpr int kStripLine = G::kWarpColumns + 8;

/// Bytes of shared memory that slabs and strips take, one after the other.
template <class G, class T>
constexpr int kSlabBytes = G::kStages * (G::kRows + G::kColumns) * G::kDepth * static_cast<int>(sizeof(T));
template <class G, class T>
constexpr int kStripBytes =
    G::kThreads / kWarp * kStripRows * kStripLine<G> * static_cast<int>(sizeof(SumType<T>));
template <class G, class T>
constexpr int kTileShared = kSlabBytes<G, T> > kStripBytes<G, T> ? kSlabBytes<G, T> : kStripBytes<G, T>;

/// Products of fragments, on matrix units where the device has them for U: f16, bf16, tf32, int8_t, float,
/// double.
template <class U>
struct MatrixUnit {
  using T = MatrixStored<U>;
  using S = MatrixSum<U>;

  template <class G, bool A_DEEP, bool B_DEEP>
  struct Warp {
    using Sums = TileSums<U, G::kWarpRows, G::kWarpColumns>;
    static constexpr int kStrips = G::kWarpRows / kStripRows;
    static constexpr bool kRowSums = false;
    static_assert(Sums::kStripRows == kStripRows, "rows of a strip");
    static constexpr int kUnrolled = kUnitDepth<U> < 8 ? 2 : 8;

    Sums sums;
    int row = warp() / G::kWarpsAcross * G::kWarpRows;
    int column = warp() % G::kWarpsAcross * G::kWarpColumns;

    AIT_DEVICE Warp() { sums.clear(); }

    AIT_DEVICE void multiply(T* a, T* b) {
      AIT_UNROLL_BY(kUnrolled)
      for (int k = 0; k < G::kDepth; k += kUnitDepth<U>) {
        LeftFragment<U, G::kWarpRows> left;
        RightFragment<U, G::kWarpColumns> right;
        if constexpr (A_DEEP)
          left.load(SwizzledTile<T, G::kDepth>{a}, row, k);
        else
          left.load_across(SwizzledTile<T, G::kRows>{a}, k, row);
        if constexpr (B_DEEP)
          right.load(SwizzledTile<T, G::kDepth>{b}, column, k);
        else
          right.load_across(SwizzledTile<T, G::kColumns>{b}, k, column);
        sums.add(left, right);
      }
    }
    /// Writes strip `i`, rows 16 i and on of the warp's part.
    AIT_DEVICE void spill(int i, S* strip) {
      sums.visit_strip(i, [&](int slot, int at, S(&run)[Sums::kRun]) {
        Vec<S, Sums::kRun> v;
        AIT_UNROLL
        for (int e = 0; e < Sums::kRun; e++) v[e] = run[e];
        store(strip + (Sums::row_of(slot) - i * kStripRows) * kStripLine<G> + at, v);
      });
    }
  };
};

/// Products by ordinary arithmetic of any other type.
template <class T_>
struct ScalarUnit {
  using T = T_;
  using S = SumType<T>;

  template <class G, bool A_DEEP, bool B_DEEP>
  struct Warp {
    static_assert(A_DEEP && B_DEEP, "slabs lie along the depth");
    static constexpr int kChunk = 16 / static_cast<int>(sizeof(T));
    static constexpr int kDown = kWarp / 8;
    static constexpr int kHigh = G::kWarpRows / kDown;
    static constexpr int kWide = G::kWarpColumns / 8;
    static constexpr int kStrips = G::kWarpRows / kStripRows;
    static constexpr bool kRowSums = false;

    S sums[kHigh][kWide] = {};
    int row = warp() / G::kWarpsAcross * G::kWarpRows;
    int column = warp() % G::kWarpsAcross * G::kWarpColumns;

    AIT_DEVICE void multiply(T* a, T* b) {
      const SwizzledTile<T, G::kDepth> left{a}, right{b};
      AIT_UNROLL_BY(2)
      for (int k = 0; k < G::kDepth; k++) {
        S x[kHigh];
        AIT_UNROLL
        for (int i = 0; i < kHigh; i++) x[i] = compute<S>(*left.at(row + lane() / 8 + i * kDown, k));
        AIT_UNROLL
        for (int j = 0; j < kWide; j++) {
          const S y = compute<S>(*right.at(column + lane() % 8 + j * 8, k));
          AIT_UNROLL
          for (int i = 0; i < kHigh; i++) sums[i][j] += x[i] * y;
        }
      }
    }
    AIT_DEVICE void spill(int strip_index, S* strip) {
      AIT_UNROLL
      for (int i = 0; i < kStripRows / kDown; i++) {
        AIT_UNROLL
        for (int j = 0; j < kWide; j++)
          strip[(lane() / 8 + i * kDown) * kStripLine<G> + lane() % 8 + j * 8] =
              sums[strip_index * (kStripRows / kDown) + i][j];
      }
    }
  };
};

/// Where a tile of the result lies, and what may be written of it.
struct ResultTile {
  int row;
  int column;
  int rows;     // of the whole result
  int columns;  // of the whole result, from `column` on another group's may follow
};

/// Multiplies the slabs of [begin, end), both multiples of the tiling's depth except an end that is the
/// operands'.
template <class G, class W, class A, class B, class T>
AIT_DEVICE void accumulate(W& own, A& a, B& b, T* shared, int begin, int end) {
  constexpr int kSlab = (G::kRows + G::kColumns) * G::kDepth;
  const int slabs = ceil_div(end - begin, G::kDepth);
  AIT_UNROLL
  for (int i = 0; i < G::kStages - 1; i++) {
    if (i < slabs) {
      a.copy(shared + i * kSlab, begin + i * G::kDepth);
      b.copy(shared + i * kSlab + G::kRows * G::kDepth, begin + i * G::kDepth);
    }
    cp_async_commit();
  }
  int in = 0;
  int out = G::kStages - 1;
  for (int i = 0; i < slabs; i++) {
    cp_async_wait<G::kStages - 2>();
    barrier();
    if (i + G::kStages - 1 < slabs) {
      const int k = begin + (i + G::kStages - 1) * G::kDepth;
      a.copy(shared + out * kSlab, k);
      b.copy(shared + out * kSlab + G::kRows * G::kDepth, k);
    }
    cp_async_commit();
    own.multiply(shared + in * kSlab, shared + in * kSlab + G::kRows * G::kDepth);
    in = in + 1 == G::kStages ? 0 : in + 1;
    out = out + 1 == G::kStages ? 0 : out + 1;
  }
}

/// Applies the epilogue to a warp's part of the tile and stores it, V columns at a time; the number of
/// columns is a multiple of V. `epilogue_row` and `epilogue_column` are what the result's first row and
/// column are to the epilogue.
template <class G, int V, class W, class S, class O, class E, class R>
AIT_DEVICE void store_tile(W& own, S* shared, const ResultTile& tile, O* y, int64_t ldy, const E& epilogue,
                           int64_t epilogue_row, int64_t epilogue_column, const R& row_of) {
  constexpr int kLine = kStripLine<G>;
  constexpr int kAcross = G::kWarpColumns / V < kWarp ? G::kWarpColumns / V : kWarp;
  constexpr int kSteps = G::kWarpColumns / V / kAcross;
  constexpr int kApart = kWarp / kAcross;
  // Of a warp of 64 lanes, some may have no row.
  constexpr int kPasses = kApart < kStripRows ? kStripRows / kApart : 1;
  const bool has_row = kApart <= kStripRows || lane() / kAcross < kStripRows;
  constexpr int kBatch = kPasses < 4 ? kPasses : 4;
  S* strip = shared + warp() * kStripRows * kLine;
  AIT_UNROLL
  for (int i = 0; i < W::kStrips; i++) {
    own.spill(i, strip);
    warp_sync();
    AIT_UNROLL
    for (int c = 0; c < kSteps; c++) {
      const int within = (lane() % kAcross + c * kAcross) * V;
      const int column = tile.column + own.column + within;
      AIT_UNROLL
      for (int first = 0; first < kPasses; first += kBatch) {
        // Every operand of a batch is read before anything is stored, so that reads are under way together.
        typename E::Result results[kBatch][V];
        int64_t to[kBatch];
        AIT_UNROLL
        for (int p = 0; p < kBatch; p++) {
          const int r = has_row ? lane() / kAcross + (first + p) * kApart : 0;
          S sums[V];
          AIT_UNROLL
          for (int e = 0; e < V; e++) sums[e] = strip[r * kLine + within + e];
          to[p] = row_of(min_of(tile.row + own.row + i * kStripRows + r, tile.rows - 1));
          const int64_t at = epilogue_column + min_of(column, tile.columns - V);
          if constexpr (W::kRowSums)
            epilogue.template subtract_row<V, G::kDepth>(sums, strip[r * kLine + G::kWarpColumns], at);
          epilogue.template apply<V>(sums, results[p], epilogue_row + to[p], at);
        }
        AIT_UNROLL
        for (int p = 0; p < kBatch; p++) {
          const int row = tile.row + own.row + i * kStripRows + lane() / kAcross + (first + p) * kApart;
          if (has_row && row < tile.rows && column < tile.columns)
            store_run<V>(results[p], y + to[p] * ldy + column);
        }
      }
    }
    warp_sync();
  }
}

/// The part of the depth that one of several splits adds up.
struct DepthRange {
  int begin;
  int end;
};
template <int BK>
AIT_DEVICE DepthRange depth_range(int depth, int split, int splits) {
  const int slabs = ceil_div(depth, BK);
  const int each = ceil_div(slabs, splits) * BK;
  return {min_of(split * each, depth), min_of((split + 1) * each, depth)};
}

/// How products of matrices follow one another: up to AXES axes in front of the matrices' own.
template <int AXES>
struct Batches {
  int extent[AXES];
  int64_t a[AXES];
  int64_t b[AXES];
};
template <>
struct Batches<0> {};

/// The epilogue for the matrix of B that lies `offset` elements behind the first.
template <class E>
AIT_DEVICE const E& for_matrix(const E& epilogue, int64_t) {
  return epilogue;
}

struct MatrixShape {
  int rows;
  int columns;
  int depth;
  int64_t lda;
  int64_t ldb;
};

/// Operands of a tiling: A is rows x depth, or depth x rows when not A_DEEP; B is columns x depth, or depth x
/// columns when not B_DEEP. VA and VB elements are copied at a time.
template <class U, class G, bool A_DEEP, bool B_DEEP, int VA, int VB>
struct MatrixOperands {
  using T = typename U::T;
  template <bool DEEP, int ROWS, int V>
  struct Choose {
    using type = DeepOperand<T, ROWS, G::kDepth, G::kThreads, V>;
  };
  template <int ROWS, int V>
  struct Choose<false, ROWS, V> {
    using type = WideOperand<T, ROWS, G::kDepth, G::kThreads, V>;
  };
  using A = typename Choose<A_DEEP, G::kRows, VA>::type;
  using B = typename Choose<B_DEEP, G::kColumns, VB>::type;
  using Warp = typename U::template Warp<G, A::kDeep, B::kDeep>;
};

/// y = epilogue(A B) for every matrix of the batch, the results one after another. Started for
/// batch * ceil_div(rows, BM) * ceil_div(columns, BN) blocks of the tiling's threads; with splits, as many
/// along y, whose sums go to y[splits][batch][rows][columns] for reduce_splits.
template <class U, class G, class M, int V, int AXES, class O, class E>
AIT_DEVICE void gemm(const typename U::T* a, const typename U::T* b, O* y, const MatrixShape& s,
                     const Batches<AXES>& batches, const E& epilogue) {
  using T = typename U::T;
  const int down = ceil_div(s.rows, G::kRows);
  const int across = ceil_div(s.columns, G::kColumns);
  const int tiles = down * across;
  int matrix = 0;
  int index = block_x();
  int64_t b_offset = 0;
  if constexpr (AXES > 0) {
    matrix = index / tiles;
    index -= matrix * tiles;
    int rest = matrix;
    AIT_UNROLL
    for (int i = AXES - 1; i >= 0; i--) {
      const int at = i == 0 ? rest : rest % batches.extent[i];
      rest /= batches.extent[i];
      a += at * batches.a[i];
      b_offset += at * batches.b[i];
    }
    b += b_offset;
  }
  const TilePlace place = tile_place(index, down, across);
  const ResultTile tile = {place.row * G::kRows, place.column * G::kColumns, s.rows, s.columns};
  const DepthRange range = depth_range<G::kDepth>(s.depth, block_y(), grid_y());

  T* shared = reinterpret_cast<T*>(dynamic_shared());
  typename M::A left(a, s.lda, tile.row, s.rows, s.depth);
  typename M::B right(b, s.ldb, tile.column, s.columns, s.depth);
  typename M::Warp own;
  accumulate<G>(own, left, right, shared, range.begin, range.end);
  barrier();
  const int64_t first = static_cast<int64_t>(matrix) * s.rows;
  const int64_t all = static_cast<int64_t>(grid_x() / tiles) * s.rows;
  y += (block_y() * all + first) * s.columns;
  store_tile<G, V>(own, reinterpret_cast<SumType<T>*>(shared), tile, y, s.columns,
                   for_matrix(epilogue, b_offset), first, 0, SameRow{});
}

}  // namespace ait::gpu
