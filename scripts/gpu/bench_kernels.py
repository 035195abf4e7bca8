"""Checks and times the device's products and convolutions against PyTorch's on one Hopper GPU.

Every kernel is compiled from kernels/include by NVRTC, checked against float32 on fresh random numbers with its result
poisoned first, and only then timed, as launches within a graph. Prints the best tiling for each shape and its ratio to
PyTorch's library in the same process; writes every number to $OUT/kernels.json.

    python3 scripts/gpu/bench_kernels.py [gemm|gemv|conv|depthwise ...]

AIT_TILES=wide leaves the tiles of mma.sync out.
"""

import ctypes
import json
import os
import sys
import tempfile

from device import (
    Module, ceil, compile_all, keep_cubins, kept_cubins, measure, pointer, run_worker, say, stream, tensor_map,
    window_map,
)  # fmt: skip

# ---- Sources ---------------------------------------------------------------------------------------------------------

EPILOGUE = """
namespace g = ait::gpu;
using ait::f16;
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
ENTRY = 'g::wait_for_previous(); g::let_next_start();'


class Tile:
    """A tiling of mma.sync kernels."""

    wide = False

    def __init__(self, *numbers):
        self.bm, self.bn, self.bk, self.wm, self.wn, self.stages = numbers
        self.threads = self.wm * self.wn * 32
        strip = self.threads // 32 * 16 * (self.bn // self.wn + 8) * 4
        self.shared = max(self.stages * (self.bm + self.bn) * self.bk * 2, strip)
        self.text = f'g::Tiling<{self.bm}, {self.bn}, {self.bk}, {self.wm}, {self.wn}, {self.stages}>'
        self.name = f'm{self.bm}x{self.bn}x{self.bk}w{self.wm}{self.wn}s{self.stages}'


class Wide:
    """A tiling of wgmma kernels."""

    wide = True

    def __init__(self, bm, bn, groups, stages, blocks=1, turns=False):
        self.bm, self.bn, self.bk, self.stages, self.blocks = bm, bn, 64, stages, blocks
        self.threads = 128 * (groups + 1)
        self.shared = stages * (bm + bn) * 128 + 16 * stages + 16
        self.text = f'g::WideTiling<{bm}, {bn}, {groups}, {stages}, {blocks}, {str(turns).lower()}>'
        self.name = f'w{bm}x{bn}g{groups}s{stages}b{blocks}{"t" if turns else ""}'


def function(threads, name, parameters, body, blocks=None):
    if blocks is not None:
        return f'AIT_GLOBAL({threads}, {blocks}) void {name}({parameters}) {{ {body} }}\n'
    return f'AIT_GLOBAL({threads}) void {name}({parameters}) {{ {ENTRY} {body} }}\n'


MAP = 'const __grid_constant__ g::TensorMap'


def gemm_source(t):
    if t.wide:
        head = f'{MAP} a, {MAP} b'
        call = f'g::gemm_sm90<f16, {t.text}, true, false>(a, b, %s, rows, columns, depth, splits, %s);'
        parts = [head, 'int rows, int columns, int depth, int splits']
    else:
        head = 'const f16* a, const f16* b'
        call = (
            f'using G = {t.text}; using U = g::MatrixUnit<f16>; '
            'g::gemm<U, G, g::MatrixOperands<U, G, true, true, 8, 8>, %d>(a, b, %s, '
            'g::MatrixShape{rows, columns, depth, depth, depth}, g::Batches<0>{}, %s);'
        )
        parts = [head, 'int rows, int columns, int depth, int']
    blocks = t.blocks if t.wide else None

    def one(name, out, epilogue, v):
        args = (out, epilogue) if t.wide else (v, out, epilogue)
        y = 'f16* y' if name == 'whole' else 'float* y'
        return function(t.threads, name, f'{parts[0]}, {y}, {parts[1]}, Bias e', call % args, blocks)

    header = 'gemm_sm90.h' if t.wide else 'gemm.h'
    return f'#include "ait/gpu/{header}"\n{EPILOGUE}' + one('whole', 'y', 'e', 8) + one('part', 'y', 'g::NoEpilogue<>{}', 8)


def boxes_source(t):
    def one(name, y, epilogue):
        parameters = f'{MAP} x, {MAP} w, {y}* y, g::WindowWalk s, int rows, int columns, int splits, Bias e'
        call = f'g::conv_sm90<f16, {t.text}>(x, w, y, s, rows, columns, splits, {epilogue});'
        return function(t.threads, name, parameters, call, t.blocks)

    head = f'#include "ait/gpu/gemm_sm90.h"\n{EPILOGUE}'
    return head + one('whole', 'f16', 'e') + one('part', 'float', 'g::NoEpilogue<>{}')


def conv_source(t, v):
    shape = 'g::ImageWindows s, int batch, int columns, int depth, int64_t ldw'
    call = (
        f'using G = {t.text}; using U = g::MatrixUnit<f16>; '
        f'g::conv<U, G, g::ImageOperands<U, G, {v}>, 8>(x, w, ldw, y, '
        'g::ConvShape{s, batch, 1, columns, depth / s.channels}, %s);'
    )
    head = 'const f16* x, const f16* w'
    return (
        f'#include "ait/gpu/conv.h"\n{EPILOGUE}'
        + function(t.threads, 'whole', f'{head}, f16* y, {shape}, Bias e', call % 'e')
        + function(t.threads, 'part', f'{head}, float* y, {shape}, Bias e', call % 'g::NoEpilogue<>{}')
    )


REDUCE = (
    '#include "ait/gpu/contraction.h"\n'
    + EPILOGUE
    + function(
        256,
        'reduce',
        'const float* p, f16* y, int64_t rows, int64_t columns, int splits, Bias e',
        'g::reduce_splits<4>(p, y, rows, columns, splits, e);',
    )
)


def gemv_source(m, n, warps, split):
    call = f'g::gemv<{m}, {n}, 8, {warps}, {split}>(x, depth, w, depth, y, columns, depth, rows, e);'
    return (
        '#include "ait/gpu/gemv.h"\n'
        + EPILOGUE
        + function(warps * 32, 'whole', 'const f16* x, const f16* w, f16* y, int columns, int depth, int rows, Bias e', call)
    )


def depthwise_source(k, s, v, th, tw):
    call = f'g::depthwise<{k}, {k}, {s}, {s}, {v}, {th}, {tw}, false, 128>(s, x, w, y, e);'
    return (
        '#include "ait/gpu/depthwise.h"\n'
        + EPILOGUE
        + function(128, 'whole', 'const f16* x, const f16* w, f16* y, g::DepthwiseShape s, Bias e', call)
    )


def first_source(n, p):
    call = f'g::stem_conv<3, 3, 3, 2, 2, {n}, {p}, 8, 128>(s, x, w, y, e);'
    return (
        '#include "ait/gpu/conv_stem.h"\n'
        + EPILOGUE
        + function(128, 'whole', 'const f16* x, const f16* w, f16* y, g::StemShape s, Bias e', call)
    )


# ---- Arguments -------------------------------------------------------------------------------------------------------


class ImageWindows(ctypes.Structure):
    _fields_ = [
        (n, ctypes.c_int)
        for n in (
            'depth_in h w depth_out oh ow kd kh kw stride_d stride_h stride_w '
            'dilation_d dilation_h dilation_w pad_front pad_top pad_left channels'
        ).split()
    ] + [('pixel', ctypes.c_int64)]


class WindowWalk(ctypes.Structure):
    _fields_ = [
        (n, ctypes.c_int)
        for n in 'oh ow kw stride_h stride_w dilation_h dilation_w pad_top pad_left taps channels'.split()
    ]


class StemShape(ctypes.Structure):
    _fields_ = [(n, ctypes.c_int) for n in 'batch h w oh ow outputs pad_top pad_left'.split()]


class DepthwiseShape(ctypes.Structure):
    _fields_ = [(n, ctypes.c_int) for n in 'batch h w c oh ow pad_top pad_left dilation_h dilation_w'.split()]


# ---- Cases -----------------------------------------------------------------------------------------------------------

TILES = [
    Tile(256, 128, 32, 4, 2, 3),
    Tile(128, 256, 32, 2, 4, 3),
    Tile(128, 128, 32, 2, 2, 4),
    Tile(128, 128, 64, 2, 4, 3),
    Tile(128, 64, 32, 2, 2, 4),
    Tile(64, 128, 64, 2, 2, 3),
    Tile(64, 64, 64, 2, 2, 4),
    Tile(64, 32, 64, 2, 2, 4),
    Tile(32, 64, 64, 2, 2, 4),
    Tile(32, 128, 64, 1, 4, 4),
    Tile(16, 64, 64, 1, 4, 5),
    Tile(16, 128, 64, 1, 4, 4),
]
WIDES = [
    Wide(128, 256, 2, 4),
    Wide(256, 128, 2, 4),
    Wide(192, 192, 3, 4),
    Wide(128, 192, 2, 5),
    Wide(192, 128, 3, 5),
    Wide(192, 96, 3, 6),
    Wide(128, 128, 2, 6, 1, True),
    Wide(64, 256, 2, 5, 1, True),
    Wide(128, 96, 2, 6, 1, True),
    Wide(128, 128, 1, 3, 2),
    Wide(128, 64, 2, 4, 2),
    Wide(64, 128, 1, 4, 2),
    Wide(64, 96, 1, 4, 2),
    Wide(64, 64, 1, 6, 2),
    Wide(64, 64, 1, 12, 1),
    Wide(64, 32, 1, 8, 2),
]
STEM_TILES = TILES[2:8] + [
    Tile(128, 64, 64, 4, 1, 2), Tile(128, 32, 64, 4, 1, 2), Tile(64, 64, 32, 2, 2, 2), Tile(128, 32, 32, 4, 1, 2),
]
if os.environ.get('AIT_TILES') == 'wide':
    TILES, STEM_TILES = [], []
SPLITS = [1, 2, 4, 8, 16]

GEMMS = [
    (8192, 8192, 8192), (4096, 4096, 4096), (2048, 2048, 2048), (1024, 1024, 1024), (8192, 1024, 4096),
    (128, 768, 768), (128, 2304, 768), (128, 3072, 768), (128, 768, 3072), (512, 768, 768), (512, 3072, 768),
    (4096, 768, 768), (4096, 3072, 768), (4096, 768, 3072), (197, 768, 768), (197, 3072, 768), (197, 768, 3072),
    (6304, 768, 768), (6304, 3072, 768), (128, 50264, 768), (16, 4096, 4096), (32, 1000, 2048), (64, 4096, 4096),
    (3136, 64, 64), (3136, 256, 64), (3136, 64, 256), (196, 1024, 256), (196, 256, 1024), (49, 2048, 512),
    (49, 512, 2048), (100352, 64, 256), (100352, 256, 64), (6272, 1024, 256), (6272, 256, 1024), (1568, 512, 2048),
    (8192, 320, 320), (8192, 2560, 320), (8192, 320, 1280),
]
GEMVS = [(1, 1000, 2048), (1, 4096, 4096), (1, 768, 3072), (1, 240, 960), (4, 4096, 4096), (8, 1000, 2048), (8, 4096, 4096)]
# batch, h, w, channels, outputs, kernel, stride
CONVS = [
    (1, 56, 56, 64, 64, 3, 1), (1, 28, 28, 128, 128, 3, 1), (1, 14, 14, 256, 256, 3, 1), (1, 7, 7, 512, 512, 3, 1),
    (1, 56, 56, 128, 128, 3, 2), (1, 14, 14, 512, 512, 3, 2), (32, 56, 56, 64, 64, 3, 1), (32, 28, 28, 128, 128, 3, 1),
    (32, 14, 14, 256, 256, 3, 1), (32, 7, 7, 512, 512, 3, 1), (32, 56, 56, 128, 128, 3, 2), (32, 56, 56, 256, 512, 1, 2),
    (2, 64, 64, 320, 320, 3, 1), (2, 32, 32, 640, 640, 3, 1), (2, 16, 16, 1280, 1280, 3, 1), (2, 8, 8, 1280, 1280, 3, 1),
    (1, 64, 64, 512, 512, 3, 1), (1, 512, 512, 128, 128, 3, 1), (32, 28, 28, 96, 96, 3, 1), (32, 56, 56, 32, 64, 3, 1),
    (32, 28, 28, 192, 192, 3, 1), (1, 56, 56, 256, 512, 1, 2), (1, 512, 512, 128, 8, 3, 1),
]
STEMS = [(1, 224, 224, 3, 64, 7, 2), (32, 224, 224, 3, 64, 7, 2), (32, 224, 224, 3, 96, 4, 4), (32, 224, 224, 3, 32, 3, 2)]
FIRSTS = [(32, 224, 224, 3, 32, 3, 2), (32, 224, 224, 3, 16, 3, 2), (1, 224, 224, 3, 32, 3, 2), (1, 224, 224, 3, 16, 3, 2)]
# batch, h, w, channels, kernel, stride
DEPTHWISE = [
    (1, 112, 112, 32, 3, 1), (1, 14, 14, 480, 3, 1), (1, 7, 7, 960, 5, 1), (32, 112, 112, 96, 3, 2),
    (32, 56, 56, 144, 3, 1), (32, 14, 14, 672, 5, 1), (32, 56, 56, 96, 7, 1),
]


GEMV_TILES = [(m, n, 4, s) for m in (1, 4, 8) for n in (1, 2, 4) for s in (1, 4) if m * n <= 16]
DEPTHWISE_PARTS = [
    (2, 1, 1), (2, 1, 2), (4, 1, 1), (4, 1, 2), (4, 2, 2), (4, 1, 4), (4, 2, 4), (4, 4, 2),
]
DEPTHWISE_TILES = sorted({(k, s, *part) for *_, k, s in DEPTHWISE for part in DEPTHWISE_PARTS})
FIRST_TILES = [(n, p) for n in (8, 16, 32) for p in (1, 2, 4) if n * p <= 64]


def sources_of(kinds):
    sources = {'reduce': REDUCE}
    if 'gemm' in kinds:
        sources |= {f'gemm {t.name}': gemm_source(t) for t in TILES + WIDES}
    if 'conv' in kinds:
        sources |= {f'conv {t.name}': conv_source(t, 8) for t in TILES}
        sources |= {f'boxes {t.name}': boxes_source(t) for t in WIDES}
        sources |= {f'stem {t.name}': conv_source(t, 4) for t in STEM_TILES}
    if 'gemv' in kinds:
        sources |= {f'gemv {g}': gemv_source(*g) for g in GEMV_TILES}
    if 'depthwise' in kinds:
        sources |= {f'depthwise {d}': depthwise_source(*d) for d in DEPTHWISE_TILES}
        sources |= {f'first {f}': first_source(*f) for f in FIRST_TILES}
    return sources


def main():
    """Compiles, then has processes of their own work, so that one bad kernel costs itself alone."""
    kinds = sys.argv[1:] or ['gemm', 'gemv', 'conv', 'depthwise']
    sources = sources_of(kinds)
    folder = tempfile.mkdtemp()
    keep_cubins(folder, compile_all(sources))
    excluded = run_worker(folder, [__file__, '--worker', folder, *kinds], patience=15, attempts=12)
    results = []
    done = os.path.join(folder, 'results')
    if os.path.exists(done):
        with open(done) as file:
            results = [json.loads(line) for line in file]
    with open(os.path.join(os.environ.get('OUT', '.'), 'kernels.json'), 'w') as file:
        json.dump({'results': results, 'failed': excluded}, file)


def work(folder, kinds):
    import torch

    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    torch.backends.cudnn.benchmark = True
    torch.zeros(1, device='cuda')
    driver = ctypes.CDLL('libcuda.so.1')
    sms = torch.cuda.get_device_properties(0).multi_processor_count
    print(torch.cuda.get_device_name(0), sms, 'multiprocessors')

    cubins = kept_cubins(folder)
    finished = set()
    if os.path.exists(os.path.join(folder, 'results')):
        with open(os.path.join(folder, 'results')) as file:
            for line in file:
                item = json.loads(line)
                finished.add((item['kind'], tuple(item['shape'])))
    shared = {f'{p} {t.name}': t.shared for p in ('gemm', 'conv', 'stem', 'boxes') for t in TILES + WIDES + STEM_TILES}
    modules = {k: Module(driver, c, shared.get(k, 0)) for k, c in cubins.items()}
    reduce = modules['reduce']

    torch.manual_seed(1)
    side = torch.cuda.Stream()
    workspace = torch.empty(64 << 20, dtype=torch.float32, device='cuda')

    i32, i64, p = ctypes.c_int, ctypes.c_int64, pointer
    wrong = []

    def timed(run):
        return measure(run, side, least=2, most=40, repeats=5)

    def run_case(kind, shape, flops, y, want, candidates, reference):
        if (kind, shape) in finished:
            return
        norm = want.float().norm().item()
        rows = []
        for name, run in candidates:
            own = name.split('/')[0]
            say(folder, f'boxes {own[1:]}|{shape}' if own.startswith('bw') else f'{kind} {own}|{shape} {name}')
            y.fill_(float('nan'))
            run()
            torch.cuda.synchronize()
            error = (y.float() - want.float()).norm().item() / norm
            if not error < 2e-3:
                wrong.append((kind, shape, name, error))
                continue
            rows.append((timed(run), name))
        rows.sort()
        theirs = timed(reference)
        with open(os.path.join(folder, 'results'), 'a') as file:
            file.write(json.dumps({'kind': kind, 'shape': shape, 'torch': theirs, 'ours': rows}) + '\n')
        if not rows:
            print(kind, shape, 'nothing is right')
            return
        t, name = rows[0]
        best = {w: next((r for r in rows if r[1].startswith(w)), None) for w in 'mwb'}
        other = ' '.join(f'{w}: {b[1]} {b[0] * 1e6:.1f}' for w, b in best.items() if b)
        print(
            f'{kind:9} {str(shape):38} torch {theirs * 1e6:8.1f} us  ours {t * 1e6:8.1f} us  {theirs / t:5.2f}x '
            f'{flops / t * 1e-12:6.1f} TF  {other or name}',
            flush=True,
        )

    def splits_of(t, rows, columns, depth):
        tiles = ceil(rows, t.bm) * ceil(columns, t.bn)
        for s in SPLITS:
            if s > 1 and (tiles * s > sms * 3 or s * 2 > ceil(depth, t.bk) or s * rows * columns > workspace.numel()):
                break
            yield s

    def sensible(t, rows, columns):
        if t.bm > 2 * rows and t.bm > 64 or t.bn > 2 * columns and t.bn > 64:
            return False
        return ceil(rows, t.bm) * ceil(columns, t.bn) <= 8 * sms or t.bm * t.bn >= 64 * 128

    if 'gemm' in kinds:
        for m, n, k in GEMMS:
            a = torch.randn(m, k, device='cuda', dtype=torch.float16)
            w = torch.randn(n, k, device='cuda', dtype=torch.float16) / k**0.5
            bias = torch.randn(n, device='cuda', dtype=torch.float16)
            y = torch.empty(m, n, device='cuda', dtype=torch.float16)
            want = (a.float() @ w.float().t() + bias.float()).half()
            candidates = []
            for t in TILES + WIDES:
                if f'gemm {t.name}' not in modules or not sensible(t, m, n):
                    continue
                module = modules[f'gemm {t.name}']
                for s in splits_of(t, m, n, k):
                    tiles = ceil(m, t.bm) * ceil(n, t.bn)
                    out = y if s == 1 else workspace
                    tail = [p(out), i32(m), i32(n), i32(k), i32(s), p(bias)]
                    if t.wide:
                        maps = [
                            tensor_map(driver, a.data_ptr(), (k, m), (k,), (64, t.bm)),
                            tensor_map(driver, w.data_ptr(), (k, n), (k,), (64, t.bn)),
                        ]
                        grid = (min(tiles * s, sms * t.blocks), 1, 1)
                    else:
                        maps = [p(a), p(w)]
                        grid = (tiles, s, 1)

                    def run(module=module, args=maps + tail, grid=grid, t=t, s=s, m=m, n=n, y=y, bias=bias):
                        module.launch(stream(), 'whole' if s == 1 else 'part', grid, t.threads, args)
                        if s > 1:
                            reduce.launch(
                                stream(), 'reduce', (ceil(m * n, 1024), 1, 1), 256,
                                [p(workspace), p(y), i64(m), i64(n), i32(s), p(bias)],
                            )

                    candidates.append((f'{t.name}/{s}', run))
            ref = lambda: torch.nn.functional.linear(a, w, bias)
            run_case('gemm', (m, n, k), 2 * m * n * k, y, want, candidates, ref)

    if 'gemv' in kinds:
        for m, n, k in GEMVS:
            a = torch.randn(m, k, device='cuda', dtype=torch.float16)
            w = torch.randn(n, k, device='cuda', dtype=torch.float16) / k**0.5
            bias = torch.randn(n, device='cuda', dtype=torch.float16)
            y = torch.empty(m, n, device='cuda', dtype=torch.float16)
            want = (a.float() @ w.float().t() + bias.float()).half()
            candidates = []
            for g in GEMV_TILES:
                if g[0] != m or f'gemv {g}' not in modules:
                    continue
                module = modules[f'gemv {g}']
                grid = (ceil(n, g[1] * g[2] // g[3]), 1, 1)
                args = [p(a), p(w), p(y), i32(n), i32(k), i32(m), p(bias)]

                def run(module=module, grid=grid, args=args, g=g):
                    module.launch(stream(), 'whole', grid, g[2] * 32, args)

                candidates.append((str(g), run))
            ref = lambda: torch.nn.functional.linear(a, w, bias)
            run_case('gemv', (m, n, k), 2 * m * n * k, y, want, candidates, ref)

    def conv_case(kind, shape, tiles, v):
        b, h, w, c, n, r, stride = shape
        pad = 0 if kind == 'stem' and r == stride else r // 2
        x = torch.randn(b, c, h, w, device='cuda', dtype=torch.float16).to(memory_format=torch.channels_last)
        f = torch.randn(n, c, r, r, device='cuda', dtype=torch.float16) / (c * r * r) ** 0.5
        bias = torch.randn(n, device='cuda', dtype=torch.float16)
        want = torch.nn.functional.conv2d(x.float(), f.float(), bias.float(), stride, pad)
        oh, ow = want.shape[2:]
        want = want.permute(0, 2, 3, 1).reshape(-1, n).half()
        cp = ceil(c, v) * v
        xp = torch.zeros(b, h, w, cp, device='cuda', dtype=torch.float16)
        xp[..., :c] = x.permute(0, 2, 3, 1)
        depth = r * r * cp
        ldw = ceil(depth, 8) * 8
        wp = torch.zeros(n, ldw, device='cuda', dtype=torch.float16)
        wp[:, :depth].view(n, r * r, cp)[..., :c] = f.permute(0, 2, 3, 1).reshape(n, r * r, c)
        rows = b * oh * ow
        y = torch.empty(rows, n, device='cuda', dtype=torch.float16)
        windows = ImageWindows(1, h, w, 1, oh, ow, 1, r, r, 1, stride, stride, 1, 1, 1, 0, pad, pad, cp, cp)
        candidates = []
        walk = WindowWalk(oh, ow, r, stride, stride, 1, 1, pad, pad, r * r, cp)
        if kind == 'conv':
            for t in WIDES:
                if f'boxes {t.name}' not in modules or not sensible(t, rows, n):
                    continue
                maps = [
                    window_map(driver, xp.data_ptr(), b, h, w, cp, oh, ow, stride, pad, t.bm),
                    tensor_map(driver, wp.data_ptr(), (cp, r * r, n), (cp, ldw), (64, 1, t.bn)),
                ]
                for s in splits_of(t, rows, n, r * r * ceil(cp, 64) * 64):
                    count = ceil(rows, t.bm) * ceil(n, t.bn)
                    args = [*maps, p(y if s == 1 else workspace), walk, i32(rows), i32(n), i32(s), p(bias)]
                    grid = (min(count * s, sms * t.blocks), 1, 1)

                    def run(module=modules[f'boxes {t.name}'], args=args, grid=grid, t=t, s=s):
                        module.launch(stream(), 'whole' if s == 1 else 'part', grid, t.threads, args)
                        if s > 1:
                            reduce.launch(
                                stream(), 'reduce', (ceil(rows * n, 1024), 1, 1), 256,
                                [p(workspace), p(y), i64(rows), i64(n), i32(s), p(bias)],
                            )

                    candidates.append((f'b{t.name}/{s}', run))
        for t in tiles:
            if f'{kind} {t.name}' not in modules or not sensible(t, rows, n):
                continue
            module = modules[f'{kind} {t.name}']
            for s in splits_of(t, rows, n, depth):
                count = ceil(rows, t.bm) * ceil(n, t.bn)
                out = y if s == 1 else workspace
                args = [p(xp), p(wp), p(out), windows, i32(b), i32(n), i32(depth), i64(ldw), p(bias)]
                grid = (count, s, 1)

                def run(module=module, args=args, grid=grid, t=t, s=s):
                    module.launch(stream(), 'whole' if s == 1 else 'part', grid, t.threads, args)
                    if s > 1:
                        reduce.launch(
                            stream(), 'reduce', (ceil(rows * n, 1024), 1, 1), 256,
                            [p(workspace), p(y), i64(rows), i64(n), i32(s), p(bias)],
                        )

                candidates.append((f'{t.name}/{s}', run))
        fl = f.to(memory_format=torch.channels_last)
        ref = lambda: torch.nn.functional.conv2d(x, fl, None, stride, pad)
        run_case(kind, shape, 2 * rows * n * c * r * r, y, want, candidates, ref)

    if 'conv' in kinds:
        for shape in CONVS:
            conv_case('conv', shape, TILES, 8)
        for shape in STEMS:
            conv_case('stem', shape, STEM_TILES, 4)

    if 'depthwise' in kinds:
        for shape in DEPTHWISE:
            b, h, w, c, r, stride = shape
            pad = r // 2
            x = torch.randn(b, c, h, w, device='cuda', dtype=torch.float16).to(memory_format=torch.channels_last)
            f = torch.randn(c, 1, r, r, device='cuda', dtype=torch.float16) / r
            bias = torch.randn(c, device='cuda', dtype=torch.float16)
            want = torch.nn.functional.conv2d(x.float(), f.float(), bias.float(), stride, pad, 1, c)
            oh, ow = want.shape[2:]
            want = want.permute(0, 2, 3, 1).contiguous().half()
            wp = f.reshape(c, r * r).t().contiguous()
            y = torch.empty(b, oh, ow, c, device='cuda', dtype=torch.float16)
            s = DepthwiseShape(b, h, w, c, oh, ow, pad, pad, 1, 1)
            candidates = []
            for d in DEPTHWISE_TILES:
                if d[:2] != (r, stride) or f'depthwise {d}' not in modules:
                    continue
                grid = (ceil(b * ceil(oh, d[3]) * ceil(ow, d[4]), 16), ceil(c, 8 * d[2]), 1)
                args = [p(x), p(wp), p(y), s, p(bias)]

                def run(module=modules[f'depthwise {d}'], args=args, grid=grid):
                    module.launch(stream(), 'whole', grid, 128, args)

                candidates.append((str(d), run))
            ref = lambda: torch.nn.functional.conv2d(x, f, None, stride, pad, 1, c)
            run_case('depthwise', shape, 2 * b * oh * ow * c * r * r, y, want, candidates, ref)

        for shape in FIRSTS:
            b, h, w, c, n, r, stride = shape
            x = torch.randn(b, c, h, w, device='cuda', dtype=torch.float16).to(memory_format=torch.channels_last)
            f = torch.randn(n, c, r, r, device='cuda', dtype=torch.float16) / 5
            bias = torch.randn(n, device='cuda', dtype=torch.float16)
            want = torch.nn.functional.conv2d(x.float(), f.float(), bias.float(), stride, 1)
            oh, ow = want.shape[2:]
            want = want.permute(0, 2, 3, 1).contiguous().half()
            wp = f.permute(2, 3, 1, 0).contiguous()
            y = torch.empty(b, oh, ow, n, device='cuda', dtype=torch.float16)
            s = StemShape(b, h, w, oh, ow, n, 1, 1)
            candidates = []
            for t in FIRST_TILES:
                if n % t[0] or f'first {t}' not in modules:
                    continue
                args = [p(x), p(wp), p(y), s, p(bias)]

                def run(module=modules[f'first {t}'], args=args, grid=(ceil(b * oh * ceil(ow, t[1]), 128), n // t[0], 1)):
                    module.launch(stream(), 'whole', grid, 128, args)

                candidates.append((str(t), run))
            fl = f.to(memory_format=torch.channels_last)
            ref = lambda: torch.nn.functional.conv2d(x, fl, None, stride, 1)
            run_case('first', shape, 2 * b * oh * ow * c * n * r * r, y, want, candidates, ref)

    for item in wrong[:40]:
        print('WRONG', *item)
    print(f'{len(wrong)} wrong', flush=True)


if __name__ == '__main__':
    if sys.argv[1:2] == ['--worker']:
        work(sys.argv[2], sys.argv[3:])
    else:
        main()
