#pragma once
#include "contraction.h"
#include "mma_tile.h"

// Operands of tiled products: how slabs of them come into shared memory.
//
// A slab of an operand is a tile of ROWS rows (or columns of the other operand) by DEPTH of the contracted
// extent. It lies in shared memory in 16-byte chunks whose order within a line depends on the line, so that
// neither copies nor ldmatrix collide: along the depth ("deep"), or along the rows ("wide", read through
// transposing loads).
namespace ait::gpu {

/// Copies V elements, or zeros; complete after cp_async_wait and a barrier.
template <class T, int V>
AIT_DEVICE void copy_piece(T* to, const T* from, bool valid) {
  constexpr int kBytes = V * static_cast<int>(sizeof(T));
  if constexpr (kBytes == 16) {
    cp_async16(to, from, valid);
  } else if constexpr (kBytes == 8) {
    cp_async8(to, from, valid);
  } else if constexpr (kBytes == 4) {
    cp_async4(to, from, valid);
  } else {
    Vec<T, V> v{};
    if (valid) v = load<V>(from);
    store(to, v);
  }
}

/// A row-major matrix whose rows lie along the depth. `depth` and `ld` are multiples of V.
template <class T, int ROWS, int DEPTH, int THREADS, int V>
struct DeepOperand {
  static constexpr bool kDeep = true;
  static constexpr int kPieces = DEPTH / V;
  static constexpr int kStep = THREADS / kPieces;
  static constexpr int kPasses = (ROWS + kStep - 1) / kStep;
  static_assert(THREADS % kPieces == 0, "pieces of a row");

  const T* line;
  int64_t step;
  int k;
  int depth;
  int rows;  // that exist, counted from this thread's first

  AIT_DEVICE DeepOperand(const T* base, int64_t ld, int first, int count, int depth_)
      : k(thread() % kPieces * V), depth(depth_) {
    const int own = thread() / kPieces;
    line = base + (first + own) * ld + k;
    step = kStep * ld;
    rows = count - first - own;
  }
  /// The slab that begins at `k0`, which only grows.
  AIT_DEVICE void copy(T* shared, int k0) {
    const bool inside = k + k0 < depth;
    const T* from = line + k0;
    AIT_UNROLL
    for (int i = 0; i < kPasses; i++, from += step) {
      const int own = thread() / kPieces + i * kStep;
      if (ROWS % kStep != 0 && own >= ROWS) break;
      copy_piece<T, V>(SwizzledTile<T, DEPTH>{shared}.at(own, k), from, inside && i * kStep < rows);
    }
  }
};

/// A matrix whose rows lie across the depth. Elements of two bytes keep that order in shared memory; others
/// are turned on the way, one at a time. `rows` and `ld` are multiples of V.
template <class T, int ROWS, int DEPTH, int THREADS, int V_>
struct WideOperand {
  static constexpr bool kDeep = sizeof(T) != 2;
  static constexpr int V = kDeep ? 1 : V_;
  static constexpr int kPieces = ROWS / V;
  static constexpr int kStep = THREADS >= kPieces ? THREADS / kPieces : 1;
  static constexpr int kSweep = THREADS >= kPieces ? 1 : kPieces / THREADS;
  static_assert(THREADS % kPieces == 0 || kPieces % THREADS == 0, "pieces of a line");

  const T* line;
  int64_t ld;
  int depth;
  int rows;

  AIT_DEVICE WideOperand(const T* base, int64_t ld_, int first, int count, int depth_)
      : line(base + first), ld(ld_), depth(depth_), rows(count - first) {}
  AIT_DEVICE void copy(T* shared, int k0) {
    AIT_UNROLL
    for (int sweep = 0; sweep < kSweep; sweep++) {
      const int row = (thread() % kPieces + sweep * THREADS) * V;
      AIT_UNROLL
      for (int i = 0; i < DEPTH; i += kStep) {
        const int k = thread() / kPieces + i;
        if (DEPTH % kStep != 0 && k >= DEPTH) break;
        T* const to =
            kDeep ? SwizzledTile<T, DEPTH>{shared}.at(row, k) : SwizzledTile<T, ROWS>{shared}.at(k, row);
        copy_piece<T, V>(to, line + (k0 + k) * ld + row, k0 + k < depth && row < rows);
      }
    }
  }
};

/// The windows of a convolution as rows, channels last: output pixel by (tap, channel). Extents of one image
/// and of the windows; `h` and `w` of the input, `oh` and `ow` of the grid of windows.
struct ImageWindows {
  int depth_in, h, w;     // input
  int depth_out, oh, ow;  // windows
  int kd, kh, kw;
  int stride_d, stride_h, stride_w;
  int dilation_d, dilation_h, dilation_w;  // may be negative
  int pad_front, pad_top, pad_left;        // may be negative
  int channels;                            // of one group, a multiple of V
  int64_t pixel;                           // elements from pixel to pixel
  const void* outside = nullptr;           // an element as those around the image, where they are not zeros
};

/// RANK is 2, or 3 with depth_in, depth_out and kd. FILLED: around the image lie bytes as
/// *windows.outside.
template <class T, int ROWS, int DEPTH, int THREADS, int V, int RANK = 2, bool FILLED = false>
struct ImageOperand {
  static constexpr bool kDeep = true;
  static constexpr int kPieces = DEPTH / V;
  static constexpr int kStep = THREADS / kPieces;
  static constexpr int kPasses = (ROWS + kStep - 1) / kStep;
  static_assert(THREADS % kPieces == 0, "pieces of a row");

  const ImageWindows& s;
  uint32_t outside = 0;  // four of the bytes around the image
  const T* corner[kPasses];
  int x0[kPasses];
  int y0[kPasses];
  int z0[RANK == 3 ? kPasses : 1];
  int channel;
  int tap_x = 0, tap_y = 0, tap_z = 0;
  int at = 0;  // the position along the depth that the taps stand for

  AIT_DEVICE ImageOperand(const ImageWindows& windows, const T* x, int first, int count)
      : s(windows), channel(thread() % kPieces * V) {
    if constexpr (FILLED) {
      static_assert(sizeof(T) == 1 && V >= 4, "whole words of bytes");
      outside = *static_cast<const uint8_t*>(s.outside) * 0x01010101u;
    }
    AIT_UNROLL
    for (int i = 0; i < kPasses; i++) {
      const int row = first + thread() / kPieces + i * kStep;
      const int line = row / s.ow;
      x0[i] = (row - line * s.ow) * s.stride_w - s.pad_left;
      int image;
      if constexpr (RANK == 3) {
        const int plane = line / s.oh;
        y0[i] = (line - plane * s.oh) * s.stride_h - s.pad_top;
        image = plane / s.depth_out;
        z0[i] = (plane - image * s.depth_out) * s.stride_d - s.pad_front;
        corner[i] = x + ((static_cast<int64_t>(image) * s.depth_in + z0[i]) * s.h + y0[i]) * s.w * s.pixel +
                    x0[i] * s.pixel;
      } else {
        image = line / s.oh;
        y0[i] = (line - image * s.oh) * s.stride_h - s.pad_top;
        corner[i] = x + ((static_cast<int64_t>(image) * s.h + y0[i]) * s.w + x0[i]) * s.pixel;
      }
      if (row >= count) y0[i] = -(1 << 30);
    }
    find_tap();
  }

  AIT_DEVICE void find_tap() {
    if (channel < s.channels) return;
    const int taps = channel / s.channels;
    channel -= taps * s.channels;
    tap_x += taps;
    if (tap_x < s.kw) return;
    const int lines = tap_x / s.kw;
    tap_x -= lines * s.kw;
    tap_y += lines;
    if constexpr (RANK == 3) {
      const int planes = tap_y / s.kh;
      tap_y -= planes * s.kh;
      tap_z += planes;
    }
  }

  AIT_DEVICE void copy(T* shared, int k0) {
    channel += k0 - at;
    at = k0;
    find_tap();
    const int dx = tap_x * s.dilation_w;
    const int dy = tap_y * s.dilation_h;
    const int dz = RANK == 3 ? tap_z * s.dilation_d : 0;
    const bool exists = RANK == 3 ? tap_z < s.kd : tap_y < s.kh;
    const int64_t offset = ((static_cast<int64_t>(dz) * s.h + dy) * s.w + dx) * s.pixel + channel;
    const int k = thread() % kPieces * V;
    AIT_UNROLL
    for (int i = 0; i < kPasses; i++) {
      const int own = thread() / kPieces + i * kStep;
      if (ROWS % kStep != 0 && own >= ROWS) break;
      bool valid = exists && static_cast<unsigned>(y0[i] + dy) < static_cast<unsigned>(s.h) &&
                   static_cast<unsigned>(x0[i] + dx) < static_cast<unsigned>(s.w);
      if constexpr (RANK == 3)
        valid = valid && static_cast<unsigned>(z0[i] + dz) < static_cast<unsigned>(s.depth_in);
      T* const to = SwizzledTile<T, DEPTH>{shared}.at(own, k);
      if constexpr (FILLED) {
        if (exists && !valid) {
          Vec<uint32_t, V / 4> words;
          AIT_UNROLL
          for (int e = 0; e < V / 4; e++) words[e] = outside;
          store(reinterpret_cast<uint32_t*>(to), words);
          continue;
        }
      }
      copy_piece<T, V>(to, corner[i] + offset, valid);
    }
  }
};

}  // namespace ait::gpu
