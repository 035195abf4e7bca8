#pragma once
#include "device_sm90.h"
#include "fragment_store.h"

// Tiled products on Hopper. One warpgroup has the copy engine bring slabs of both operands into shared
// memory, boxes of matrices or of windows of an image; the others multiply them and store. Blocks stay and
// take tile after tile, so that copies for the next tile run while the last one is stored.
#if defined(AIT_SM90)
namespace ait::gpu {

/// A tile of BM x BN results, 64 deep slabs, STAGES of them in flight; WARPGROUPS that multiply, each a part
/// of the tile's rows, or with TURNS tiles of its own, so that one multiplies while another stores. BLOCKS
/// share a multiprocessor.
template <int BM, int BN, int WARPGROUPS, int STAGES, int BLOCKS = 1, bool TURNS = false>
struct WideTiling {
  static constexpr int kRows = BM;
  static constexpr int kColumns = BN;
  static constexpr int kDepth = 64;
  static constexpr int kGroups = WARPGROUPS;
  static constexpr bool kTurns = TURNS;
  /// Warpgroups that share a tile, and instructions of 64 rows that each has of it.
  static constexpr int kSharing = TURNS ? 1 : WARPGROUPS;
  static constexpr int kHigh = BM / kSharing / 64;
  static constexpr int kStages = STAGES;
  static constexpr int kThreads = 128 * (WARPGROUPS + 1);
  static constexpr int kSlab = (BM + BN) * kDepth;  // elements of a stage
  static constexpr int kSlabs = STAGES * kSlab * 2;
  /// Bytes of dynamic shared memory, and with strips for results that are stored apart.
  static constexpr int kShared = kSlabs + 16 * STAGES + 16;
  static constexpr int kSharedApart = kShared + WARPGROUPS * 4 * kApartWords * 4;
  static_assert(BM % (64 * kSharing) == 0, "rows of a warpgroup");

  /// Registers of a thread at entry, and what copying threads leave to those that multiply.
  static constexpr int kEntry = 65536 / BLOCKS / kThreads / 8 * 8;
  template <int COPYING>
  static constexpr int kMultiplying = (kEntry * kThreads - 128 * COPYING) / (128 * WARPGROUPS) / 8 * 8;
  template <int COPYING>
  static constexpr bool kMoves =
      COPYING < kEntry && kMultiplying<COPYING> <= 240 && kEntry < 240 && kHigh * BN / 2 > 32;
  static constexpr int kFree = (kMoves<40> ? kMultiplying<40> : kEntry) - kHigh * BN / 2;
  /// Runs of results that are stored together, as many as registers are left for.
  static constexpr int kBatch = kFree >= 72 ? 4 : kFree >= 48 ? 2 : 1;
};

namespace detail {

/// Stages are filled and emptied in turn, each time with the other parity.
template <int STAGES>
struct Turn {
  int stage = 0;
  int parity = 0;
  AIT_DEVICE void next() {
    if (++stage < STAGES) return;
    stage = 0;
    parity ^= 1;
  }
  AIT_DEVICE void skip(int count) {
    const int at = stage + count;
    parity ^= at / STAGES & 1;
    stage = at % STAGES;
  }
};

/// The barriers behind the slabs: a stage is full, a stage is empty.
template <class G>
struct Stages {
  uint8_t* memory;
  AIT_DEVICE uint64_t* full(int i) const { return reinterpret_cast<uint64_t*>(memory + G::kSlabs) + i; }
  AIT_DEVICE uint64_t* empty(int i) const { return full(G::kStages + i); }
  /// Completed tile after tile, so that each warpgroup begins where the one before it has ended: a barrier
  /// tells neighbouring phases apart only.
  AIT_DEVICE uint64_t* order() const { return full(2 * G::kStages); }
  template <class T>
  AIT_DEVICE T* slab(int i) const {
    return reinterpret_cast<T*>(memory) + i * G::kSlab;
  }
  /// Of this warp.
  AIT_DEVICE float* strip() const {
    return reinterpret_cast<float*>(memory + G::kShared) + (warp() - 4) * kApartWords;
  }
  AIT_DEVICE void init() const {
    if (thread() == 0) {
      for (int i = 0; i < G::kStages; i++) {
        mbarrier_init(full(i), 1);
        mbarrier_init(empty(i), G::kSharing * 4);
      }
      mbarrier_init(order(), 4);
      mbarrier_fence();
    }
    barrier();
  }
  /// A warp has read a stage.
  AIT_DEVICE void release(int i) const {
    if (lane() == 0) mbarrier_arrive(empty(i));
  }
};

/// What a warpgroup multiplies.
template <class G, class T>
struct WarpgroupSums {
  static constexpr int kRegisters = G::kColumns / 2;
  float d[G::kHigh][kRegisters];

  /// Multiplies `slabs` slabs as they come, and gives their stages back.
  AIT_DEVICE void accumulate(const Stages<G>& stages, Turn<G::kStages>& turn, int part, int slabs) {
    int add = 0;
    int before = -1;
    if (slabs == 0) {
      AIT_UNROLL
      for (int i = 0; i < G::kHigh; i++) {
        AIT_UNROLL
        for (int j = 0; j < kRegisters; j++) d[i][j] = 0;
      }
    }
    for (int s = 0; s < slabs; s++) {
      mbarrier_wait(stages.full(turn.stage), turn.parity);
      const T* a = stages.template slab<T>(turn.stage);
      const uint64_t left = swizzled_lines(a + part * G::kHigh * 64 * G::kDepth);
      const uint64_t right = swizzled_lines(a + G::kRows * G::kDepth);
      AIT_UNROLL
      for (int i = 0; i < G::kHigh; i++) wgmma_hold(d[i]);
      wgmma_begin();
      AIT_UNROLL
      for (int k = 0; k < G::kDepth / 16; k++) {
        AIT_UNROLL
        for (int i = 0; i < G::kHigh; i++)
          Wgmma<G::kColumns>::template multiply<T>(d[i], chunks_on(left, i * 512 + k * 2),
                                                   chunks_on(right, k * 2), add);
        add = 1;
      }
      wgmma_commit();
      AIT_UNROLL
      for (int i = 0; i < G::kHigh; i++) wgmma_hold(d[i]);
      // The slab before this one has been read when at most this one's products are under way.
      wgmma_wait<1>();
      if (before >= 0) stages.release(before);
      before = turn.stage;
      turn.next();
    }
    wgmma_wait<0>();
    AIT_UNROLL
    for (int i = 0; i < G::kHigh; i++) wgmma_hold(d[i]);
    if (before >= 0) stages.release(before);
  }
};

/// The tiles of a block, each with a part of the depth: `index` counts splits, then tiles. The
/// last ones along an axis begin early enough to be full, and compute again what their neighbours do, because
/// the copy engine is slow where there is nothing.
template <class G>
struct TileQueue {
  int last_row, last_column;
  int down, across, splits, each, depth;
  AIT_DEVICE TileQueue(int rows, int columns, int depth_, int splits_)
      : last_row(rows > G::kRows ? rows - G::kRows : 0),
        last_column(columns > G::kColumns ? columns - G::kColumns : 0),
        down(ceil_div(rows, G::kRows)),
        across(ceil_div(columns, G::kColumns)),
        splits(splits_),
        each(ceil_div(ceil_div(depth_, G::kDepth), splits_)),
        depth(ceil_div(depth_, G::kDepth)) {}
  AIT_DEVICE int count() const { return down * across * splits; }
  /// The first row and column of a tile.
  AIT_DEVICE TilePlace place(int index) const {
    const TilePlace p = tile_place<16>(index % (down * across), down, across);
    return {min_of(p.row * G::kRows, last_row), min_of(p.column * G::kColumns, last_column)};
  }
  AIT_DEVICE int split(int index) const { return index / (down * across); }
  AIT_DEVICE int first(int split) const { return min_of(split * each, depth); }
  AIT_DEVICE int slabs(int split) const { return min_of(each, depth - first(split)); }
};

/// What the thread does that has slabs copied. With EARLY the right operand is there before the kernels in
/// front of this one have ended, and its first slabs are copied at once.
template <class T, class G, bool EARLY, class C>
AIT_DEVICE void copy_tiles(const Stages<G>& stages, const TileQueue<G>& queue, C& copies) {
  Turn<G::kStages> turn;
  int ahead = 0;
  const int count = queue.count();
  if (EARLY && block_x() < count) {
    const int split = queue.split(block_x());
    ahead = min_of(G::kStages, queue.slabs(split));
    copies.begin(queue.place(block_x()), queue.first(split));
    for (int i = 0; i < ahead; i++, copies.next()) {
      mbarrier_expect(stages.full(i), G::kSlab * 2);
      copies.right(stages.template slab<T>(i) + G::kRows * G::kDepth, stages.full(i));
    }
  }
  wait_for_previous();
  for (int index = block_x(); index < count; index += grid_x()) {
    const int split = queue.split(index);
    const int slabs = queue.slabs(split);
    copies.begin(queue.place(index), queue.first(split));
    for (int s = 0; s < slabs; s++, turn.next(), copies.next()) {
      uint64_t* full = stages.full(turn.stage);
      T* slab = stages.template slab<T>(turn.stage);
      if (ahead > 0) {
        ahead--;
      } else {
        mbarrier_wait(stages.empty(turn.stage), turn.parity ^ 1);
        mbarrier_expect(full, G::kSlab * 2);
        copies.right(slab + G::kRows * G::kDepth, full);
      }
      copies.left(slab, full);
    }
  }
}

/// What the multiplying warpgroups do: tile after tile, all of them each, or by turns. APART: results lie
/// anywhere.
template <class G, class T, bool APART, class O, class E>
AIT_DEVICE void multiply_tiles(const Stages<G>& stages, const TileQueue<G>& queue, O* y, int rows,
                               int columns, const E& epilogue) {
  const int group = warp() / 4 - 1;
  const int part = G::kTurns ? 0 : group;
  Turn<G::kStages> turn;
  int number = 0;
  wait_for_previous();
  for (int index = block_x(); index < queue.count(); index += grid_x(), number++) {
    const int split = queue.split(index);
    if (G::kTurns && number % G::kGroups != group) {
      turn.skip(queue.slabs(split));
      continue;
    }
    if (G::kTurns && number > 0) mbarrier_wait(stages.order(), (number - 1) & 1);
    const TilePlace place = queue.place(index);
    WarpgroupSums<G, T> sums;
    sums.accumulate(stages, turn, part, queue.slabs(split));
    if (G::kTurns && lane() == 0) mbarrier_arrive(stages.order());
    O* const to = y + static_cast<int64_t>(split) * rows * columns;
    const int row = place.row + part * G::kHigh * 64;
    if constexpr (APART)
      store_fragments_apart<G::kHigh, G::kColumns>(sums.d, stages.strip(), to, columns, row, place.column,
                                                   rows, columns, epilogue);
    else
      store_fragments<G::kHigh, G::kColumns, G::kBatch>(sums.d, to, columns, row, place.column, rows, columns,
                                                        epilogue);
  }
}

/// The two roles of a block's warpgroups.
template <class T, class G, bool EARLY, bool APART, class C, class O, class E>
AIT_DEVICE void run_tiles(const TileQueue<G>& queue, const C& copies_of, O* y, int rows, int columns,
                          const E& epilogue) {
  const Stages<G> stages = {dynamic_shared()};
  stages.init();
  let_next_start();
  constexpr bool kMoves = G::template kMoves<40>;
  if (warp() < 4) {
    if constexpr (kMoves) give_registers<40>();
    if (thread() == 0) {
      auto copies = copies_of();
      copy_tiles<T, G, EARLY>(stages, queue, copies);
    }
  } else {
    if constexpr (kMoves) take_registers<G::template kMultiplying<40>>();
    multiply_tiles<G, T, APART>(stages, queue, y, rows, columns, epilogue);
  }
}

}  // namespace detail

}  // namespace ait::gpu
#endif
