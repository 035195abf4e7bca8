"""Source text of the kernels of products and convolutions."""

from cubins import function, source
from product_shapes import DEPTHWISE_TILES, FIRST_TILES, GEMV_TILES, STEM_TILES, TILES, WIDES

BIAS = """
struct Bias {
  using Result = float;
  static constexpr bool kByColumn = true;
  const f16* p;
  template <int N>
  AIT_DEVICE void apply(const float (&sums)[N], float (&results)[N], int64_t, int64_t col) const {
    constexpr int P = g::piece_of<f16>(N);
    AIT_UNROLL
    for (int i = 0; i < N; i += P) {
      const auto v = g::load<P>(p + col + i);
      AIT_UNROLL
      for (int j = 0; j < P; j++) results[i + j] = sums[i + j] + ait::to_f32(v.v[j]);
    }
  }
};
"""
MAP = 'const __grid_constant__ g::TensorMap'


def whole(header, threads, shape, call):
    """A kernel that computes the results."""
    parameters = f'const f16* x, const f16* w, f16* y, {shape}, Bias e'
    return source(header, BIAS, function(threads, 'whole', parameters, call))


def whole_and_part(header, tile, operands, shape, call):
    """A kernel that computes the results, and one that sums a part of the depth, for another kernel to add."""
    bounds = f'{tile.threads}, {tile.blocks}' if tile.wide else tile.threads

    def one(name, result, epilogue):
        parameters = f'{operands}, {result}* y, {shape}, Bias e'
        return function(bounds, name, parameters, call % epilogue, waits=not tile.wide)

    return source(header, BIAS, one('whole', 'f16', 'e'), one('part', 'float', 'g::NoEpilogue<>{}'))


def gemm(t):
    shape = 'int rows, int columns, int depth, int splits'
    if t.wide:
        call = f'g::gemm_sm90<f16, {t.text}, true, false>(a, b, y, rows, columns, depth, splits, %s);'
        return whole_and_part('gemm_sm90.h', t, f'{MAP} a, {MAP} b', shape, call)
    call = (
        f'using G = {t.text}; using U = g::MatrixUnit<f16>; '
        'g::gemm<U, G, g::MatrixOperands<U, G, true, true, 8, 8>, 8>(a, b, y, '
        'g::MatrixShape{rows, columns, depth, depth, depth}, g::Batches<0>{}, %s);'
    )
    return whole_and_part('gemm.h', t, 'const f16* a, const f16* b', shape, call)


def boxes(t):
    call = f'g::conv_sm90<f16, {t.text}>(x, w, y, s, rows, columns, splits, %s);'
    shape = 'g::WindowWalk s, int rows, int columns, int splits'
    return whole_and_part('gemm_sm90.h', t, f'{MAP} x, {MAP} w', shape, call)


def conv(t, v):
    call = (
        f'using G = {t.text}; using U = g::MatrixUnit<f16>; '
        f'g::conv<U, G, g::ImageOperands<U, G, {v}>, 8>(x, w, ldw, y, '
        'g::ConvShape{s, batch, 1, columns, depth / s.channels}, %s);'
    )
    shape = 'g::ImageWindows s, int batch, int columns, int depth, int64_t ldw'
    return whole_and_part('conv.h', t, 'const f16* x, const f16* w', shape, call)


def reduce():
    parameters = 'const float* p, f16* y, int64_t rows, int64_t columns, int splits, Bias e'
    call = 'g::reduce_splits<4>(p, y, rows, columns, splits, e);'
    return source('contraction.h', BIAS, function(256, 'reduce', parameters, call))


def gemv(m, n, warps, split):
    call = f'g::gemv<{m}, {n}, 8, {warps}, {split}>(x, depth, w, depth, y, columns, depth, rows, e);'
    return whole('gemv.h', warps * 32, 'int columns, int depth, int rows', call)


def depthwise(k, s, v, th, tw):
    call = f'g::depthwise<{k}, {k}, {s}, {s}, {v}, {th}, {tw}, false, 128>(s, x, w, y, e);'
    return whole('depthwise.h', 128, 'g::DepthwiseShape s', call)


def first(n, p):
    call = f'g::stem_conv<3, 3, 3, 2, 2, {n}, {p}, 8, 128>(s, x, w, y, e);'
    return whole('conv_stem.h', 128, 'g::StemShape s', call)


def sources_of(kinds):
    sources = {'reduce': reduce()}
    if 'gemm' in kinds:
        sources |= {f'gemm {t.name}': gemm(t) for t in TILES + WIDES}
    if 'conv' in kinds:
        sources |= {f'conv {t.name}': conv(t, 8) for t in TILES}
        sources |= {f'boxes {t.name}': boxes(t) for t in WIDES}
        sources |= {f'stem {t.name}': conv(t, 4) for t in STEM_TILES}
    if 'gemv' in kinds:
        sources |= {f'gemv {g}': gemv(*g) for g in GEMV_TILES}
    if 'depthwise' in kinds:
        sources |= {f'depthwise {d}': depthwise(*d) for d in DEPTHWISE_TILES}
        sources |= {f'first {f}': first(*f) for f in FIRST_TILES}
    return sources
