#pragma once
#include "tiles_sm90.h"

// Products of matrices on Hopper.
#if defined(AIT_SM90)
namespace ait::gpu {

namespace detail {

/// Slabs of two matrices, seen through maps with boxes of 64 by the tiling's.
template <class T, class G>
struct MatrixCopies {
  const TensorMap& a;
  const TensorMap& b;
  TilePlace place;
  int depth;
  AIT_DEVICE MatrixCopies(const TensorMap& a_, const TensorMap& b_) : a(a_), b(b_), place{0, 0}, depth(0) {
    prefetch_map(a);
    prefetch_map(b);
  }
  AIT_DEVICE void begin(const TilePlace& p, int slab) {
    place = p;
    depth = slab * G::kDepth;
  }
  AIT_DEVICE void next() { depth += G::kDepth; }
  AIT_DEVICE void left(T* to, uint64_t* full) const { copy_box(to, a, full, depth, place.row); }
  AIT_DEVICE void right(T* to, uint64_t* full) const { copy_box(to, b, full, depth, place.column); }
};

}  // namespace detail

/// y = epilogue(A B): A is rows x depth, B columns x depth, seen through maps with boxes of 64 by the
/// tiling's. `columns` is a multiple of 8, except that with APART it is any number; the depth has whole 16
/// bytes. Started for at most as many blocks as the device runs at once, and waits itself for what runs in
/// front of it; EARLY: B is constant. With splits, sums go to y[splits][rows][columns] for reduce_splits.
template <class T, class G, bool EARLY, bool APART, class O, class E>
AIT_DEVICE void gemm_sm90(const TensorMap& a, const TensorMap& b, O* y, int rows, int columns, int depth,
                          int splits, const E& epilogue) {
  const detail::TileQueue<G> queue(rows, columns, depth, splits);
  const auto copies = [&] { return detail::MatrixCopies<T, G>(a, b); };
  detail::run_tiles<T, G, EARLY, APART>(queue, copies, y, rows, columns, epilogue);
}

}  // namespace ait::gpu
#endif
