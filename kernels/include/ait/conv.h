#pragma once
#include "gemm.h"

// Convolutions on channels-last activations, as products whose A rows are gathered by pointer: no im2col.
namespace ait {

/// A 2-d convolution, height 1 for a 1-d one. Padding at the bottom and the right follows from oh and ow.
struct ConvShape {
  int64_t batch = 1;
  int64_t h = 1;
  int64_t w = 1;
  int64_t c = 1;  // input channels of all groups
  int64_t oh = 1;
  int64_t ow = 1;
  int64_t k = 1;  // output channels of all groups
  int64_t kh = 1;
  int64_t kw = 1;
  int64_t stride_h = 1;
  int64_t stride_w = 1;
  int64_t dilation_h = 1;
  int64_t dilation_w = 1;
  int64_t pad_top = 0;
  int64_t pad_left = 0;
  int64_t groups = 1;
};

namespace detail {

/// Steps through output pixels in memory order.
struct PixelCursor {
  int64_t image;
  int64_t y;
  int64_t x;

  PixelCursor(const ConvShape& s, int64_t row)
      : image(row / s.ow / s.oh), y(row / s.ow % s.oh), x(row % s.ow) {}
  void next(const ConvShape& s) {
    if (++x < s.ow) return;
    x = 0;
    if (++y < s.oh) return;
    y = 0;
    image++;
  }
};

inline bool inside(int64_t i, int64_t n) { return static_cast<uint64_t>(i) < static_cast<uint64_t>(n); }

/// The tile's windows follow one another along one output row and none touches padding: fills the table with
/// `taps_h` x `taps_w` taps and says so.
inline bool fill_inner(const ConvShape& s, const PixelCursor& at, int count, const float* x, int64_t ldx,
                       int64_t taps_w, const float** table) {
  const int64_t y0 = at.y * s.stride_h - s.pad_top;
  const int64_t x0 = at.x * s.stride_w - s.pad_left;
  const int64_t right = x0 + (count - 1) * s.stride_w + (s.kw - 1) * s.dilation_w;
  const int64_t bottom = y0 + (s.kh - 1) * s.dilation_h;
  if (at.x + count > s.ow || x0 < 0 || y0 < 0 || right >= s.w || bottom >= s.h) return false;
  const float* line = x + ((at.image * s.h + y0) * s.w + x0) * ldx;
  const int64_t step = s.stride_w * ldx;
  for (int64_t i = 0; i < s.kh; i++, line += s.dilation_h * s.w * ldx) {
    for (int64_t j = 0; j < taps_w; j++, table += kMR) {
      const float* first = line + j * s.dilation_w * ldx;
      for (int r = 0; r < kMR; r++) table[r] = first + r * step;
    }
  }
  return true;
}

/// One tap per kernel position, the channels of one group long. `zeros` stands in for padding.
struct TapRows {
  const ConvShape& s;
  const float* x;
  int64_t ldx;
  const float* zeros;

  size_t space() const { return 0; }
  void fill(int64_t group, int64_t row, int count, const float** table, float*) const {
    const float* base = x + group * (s.c / s.groups);
    PixelCursor at(s, row);
    if (fill_inner(s, at, count, base, ldx, s.kw, table)) return;
    for (int r = 0; r < count; r++, at.next(s)) {
      const int64_t y0 = at.y * s.stride_h - s.pad_top;
      const int64_t x0 = at.x * s.stride_w - s.pad_left;
      const int64_t image = at.image * s.h;
      const float** out = table + r;
      for (int64_t i = 0; i < s.kh; i++) {
        const int64_t iy = y0 + i * s.dilation_h;
        const bool row_inside = inside(iy, s.h);
        const float* line = base + (row_inside ? (image + iy) * s.w * ldx : 0);
        for (int64_t j = 0; j < s.kw; j++, out += kMR) {
          const int64_t ix = x0 + j * s.dilation_w;
          *out = row_inside && inside(ix, s.w) ? line + ix * ldx : zeros;
        }
      }
    }
  }
};

/// One tap per kernel row, KW * C long, for few channels: consecutive pixels are consecutive in memory. A
/// window that hangs over the side is copied.
struct LineRows {
  const ConvShape& s;
  const float* x;
  const float* zeros;

  size_t space() const { return sizeof(float) * static_cast<size_t>(kMR * s.kh * s.kw * s.c); }
  void fill(int64_t, int64_t row, int count, const float** table, float* space) const {
    const int64_t length = s.kw * s.c;
    PixelCursor at(s, row);
    if (fill_inner(s, at, count, x, s.c, 1, table)) return;
    for (int r = 0; r < count; r++, at.next(s)) {
      const int64_t y0 = at.y * s.stride_h - s.pad_top;
      const int64_t x0 = at.x * s.stride_w - s.pad_left;
      const int64_t from = max_of<int64_t>(0, -x0);
      const int64_t to = min_of(s.kw, s.w - x0);
      for (int64_t i = 0; i < s.kh; i++) {
        const int64_t iy = y0 + i * s.dilation_h;
        const float** out = table + i * kMR + r;
        if (!inside(iy, s.h) || from >= to) {
          *out = zeros;
          continue;
        }
        const float* line = x + ((at.image * s.h + iy) * s.w + x0 + from) * s.c;
        if (from == 0 && to == s.kw) {
          *out = line;
          continue;
        }
        float* copy = space + (r * s.kh + i) * length;
        std::memset(copy, 0, sizeof(float) * static_cast<size_t>(length));
        std::memcpy(copy + from * s.c, line, sizeof(float) * static_cast<size_t>((to - from) * s.c));
        *out = copy;
      }
    }
  }
};

inline const float* zero_row(Context& ctx, int64_t n) {
  const size_t bytes = sizeof(float) * static_cast<size_t>(n);
  void* p = ctx.scratch(bytes);
  std::memset(p, 0, bytes);
  return static_cast<const float*>(p);
}

inline bool in_scratch(const Context& ctx, const float* p) {
  const auto at = reinterpret_cast<uintptr_t>(p);
  const auto base = reinterpret_cast<uintptr_t>(ctx.scratch_base);
  return at >= base && at < base + ctx.scratch_bytes;
}

/// Pixels that would collide in the first-level cache, all of them in one set of it, moved apart: `x` and
/// `ldx` change to a copy in ctx.scratch(), before which lie `zeros` zeros, which are returned.
inline const float* spread_pixels(Context& ctx, int64_t pixels, int64_t c, int64_t zeros, const float** x,
                                  int64_t* ldx) {
  const int64_t ld = *ldx + 16;
  const int64_t first = ceil_div(zeros, 16) * 16;
  auto* space = static_cast<float*>(ctx.scratch(sizeof(float) * static_cast<size_t>(first + pixels * ld)));
  std::memset(space, 0, sizeof(float) * static_cast<size_t>(zeros));
  const float* from = *x;
  const int64_t from_ld = *ldx;
  parallel_for(ctx, pixels, ceil_div(int64_t{1} << 15, c), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      std::memcpy(space + first + i * ld, from + i * from_ld, sizeof(float) * static_cast<size_t>(c));
    }
  });
  *x = space + first;
  *ldx = ld;
  return space;
}

}  // namespace detail

/// y[pixel][k] = epilogue(convolution). Pixels of x are ldx apart (>= c, so x may lie inside a
/// concatenation), those of y ldy; images follow one another. Weights are packed as pack.h says. The
/// epilogue's row is the output pixel, counted over the batch, its column the output channel.
template <class E = NoEpilogue>
inline void conv2d(Context& ctx, const ConvShape& s, const float* x, int64_t ldx, const float* packed_w,
                   float* y, int64_t ldy, const E& epilogue = E{}) {
  const int64_t pixels = s.batch * s.oh * s.ow;
  const int64_t c = s.c / s.groups;
  const int64_t n = s.k / s.groups;
  const bool pointwise = s.kh == 1 && s.kw == 1 && s.pad_top == 0 && s.pad_left == 0 && s.oh == s.h &&
                         s.ow == s.w && s.stride_h == 1 && s.stride_w == 1;
  const detail::BatchStrides strides = {packed_b_size(s.kh * s.kw * c, n), n, 0, n};
  if (pointwise) {
    detail::contract(ctx, {s.groups, pixels, n, 1, c}, detail::matrix_rows(x, ldx, 1, c, pixels, n, c),
                     packed_w, y, ldy, strides, epilogue);
  } else if (s.groups == 1 && c <= 8 && s.kw > 1 && ldx == c && s.dilation_w == 1) {
    const float* zeros = detail::zero_row(ctx, s.kw * c);
    detail::contract(ctx, {1, pixels, n, s.kh, s.kw * c}, detail::LineRows{s, x, zeros}, packed_w, y, ldy,
                     strides, epilogue);
  } else {
    // A caller that keeps an operand in the scratch memory has reserved no more of it than the zeros.
    const bool collide = ldx % 1024 == 0 && pixels > 4 && s.kh * s.kw > 1 && !detail::in_scratch(ctx, x) &&
                         !detail::in_scratch(ctx, y) && !detail::in_scratch(ctx, packed_w);
    const float* zeros = collide ? detail::spread_pixels(ctx, s.batch * s.h * s.w, s.c, c, &x, &ldx)
                                 : detail::zero_row(ctx, c);
    detail::contract(ctx, {s.groups, pixels, n, s.kh * s.kw, c}, detail::TapRows{s, x, ldx, zeros}, packed_w,
                     y, ldy, strides, epilogue);
  }
}

}  // namespace ait
