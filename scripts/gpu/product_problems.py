"""Products and convolutions of random operands, and every launch that may compute them."""

import ctypes
from collections.abc import Callable
from ctypes import c_int as i32, c_int64 as i64
from typing import NamedTuple

import torch
from torch.nn.functional import conv2d, linear

from cubins import ceil
from device import pointer, tensor_map, window_map
from product_shapes import (
    CONVS, DEPTHWISE, DEPTHWISE_TILES, FIRST_TILES, FIRSTS, GEMMS, GEMV_TILES, GEMVS, STEM_TILES, STEMS, TILES, WIDES,
)  # fmt: skip


def structure(names, *more):
    return type('Structure', (ctypes.Structure,), {'_fields_': [*((n, i32) for n in names.split()), *more]})


ImageWindows = structure(
    'depth_in h w depth_out oh ow kd kh kw stride_d stride_h stride_w '
    'dilation_d dilation_h dilation_w pad_front pad_top pad_left channels',
    ('pixel', i64),
)
WindowWalk = structure('oh ow kw stride_h stride_w dilation_h dilation_w pad_top pad_left taps channels')
StemShape = structure('batch h w oh ow outputs pad_top pad_left')
DepthwiseShape = structure('batch h w c oh ow pad_top pad_left dilation_h dilation_w')


class Problem(NamedTuple):
    flops: int
    result: torch.Tensor
    want: torch.Tensor
    reference: Callable
    candidates: list
    """A kernel's key, the name of what is run of it, and that."""


def random(*shape):
    return torch.randn(*shape, device='cuda', dtype=torch.float16)


def images(b, h, w, c):
    return random(b, c, h, w).to(memory_format=torch.channels_last)


def product(m, n, k, candidates):
    a, w, bias = random(m, k), random(n, k) / k**0.5, random(n)
    want = (a.float() @ w.float().t() + bias.float()).half().float()
    y = torch.empty(m, n, device='cuda', dtype=torch.float16)
    return Problem(2 * m * n * k, y, want, lambda: linear(a, w, bias), list(candidates(a, w, bias, y)))


def convolution(x, filters, bias, stride, pad, groups, candidates):
    want = conv2d(x.float(), filters.float(), bias.float(), stride, pad, 1, groups).permute(0, 2, 3, 1).half().float()
    y = torch.empty(want.shape, device='cuda', dtype=torch.float16)
    flops = 2 * y.numel() * filters[0].numel()
    if groups == 1:
        filters = filters.to(memory_format=torch.channels_last)
    reference = lambda: conv2d(x, filters, None, stride, pad, 1, groups)
    return Problem(flops, y, want, reference, list(candidates(y)))


def gemm(kernels, m, n, k):
    def candidates(a, w, bias, y):
        def operands(t):
            if not t.wide:
                return [pointer(a), pointer(w)]
            sides = (a, m, t.bm), (w, n, t.bn)
            return [tensor_map(kernels.driver, x.data_ptr(), (k, rows), (k,), (64, box)) for x, rows, box in sides]

        return kernels.tiled('gemm', TILES + WIDES, k, operands, lambda s: [i32(m), i32(n), i32(k), i32(s)], bias, y)

    return product(m, n, k, candidates)


def gemv(kernels, m, n, k):
    def candidates(a, w, bias, y):
        arguments = [*map(pointer, (a, w, y)), i32(n), i32(k), i32(m), pointer(bias)]
        for g in GEMV_TILES:
            if g[0] == m:
                grid = (ceil(n, g[1] * g[2] // g[3]), 1, 1)
                yield from kernels.whole(f'gemv {g}', grid, g[2] * 32, arguments)

    return product(m, n, k, candidates)


def conv(kernels, b, h, w, c, n, r, stride, tiles=TILES, vector=8, wides=WIDES):
    pad = 0 if r == stride else r // 2
    x, f, bias = images(b, h, w, c), random(n, c, r, r) / (c * r * r) ** 0.5, random(n)
    # Channels and rows of weights are padded to whole vectors.
    cp = ceil(c, vector) * vector
    depth = r * r * cp
    ldw = ceil(depth, 8) * 8
    xp = torch.zeros(b, h, w, cp, device='cuda', dtype=torch.float16)
    xp[..., :c] = x.permute(0, 2, 3, 1)
    wp = torch.zeros(n, ldw, device='cuda', dtype=torch.float16)
    wp[:, :depth].view(n, r * r, cp)[..., :c] = f.permute(0, 2, 3, 1).reshape(n, r * r, c)

    def candidates(y):
        oh, ow = y.shape[1:3]
        rows = b * oh * ow
        walk = WindowWalk(oh, ow, r, stride, stride, 1, 1, pad, pad, r * r, cp)
        windows = ImageWindows(1, h, w, 1, oh, ow, 1, r, r, 1, stride, stride, 1, 1, 1, 0, pad, pad, cp, cp)

        def maps(t):
            return [
                window_map(kernels.driver, xp.data_ptr(), b, h, w, cp, oh, ow, stride, pad, t.bm),
                tensor_map(kernels.driver, wp.data_ptr(), (cp, r * r, n), (cp, ldw), (64, 1, t.bn)),
            ]

        wide_depth = r * r * ceil(cp, 64) * 64
        numbers = lambda s: [walk, i32(rows), i32(n), i32(s)]
        yield from kernels.tiled('boxes', wides, wide_depth, maps, numbers, bias, y)
        pointers = lambda t: [pointer(xp), pointer(wp)]
        numbers = lambda s: [windows, i32(b), i32(n), i32(depth), i64(ldw)]
        yield from kernels.tiled('conv' if vector == 8 else 'stem', tiles, depth, pointers, numbers, bias, y)

    return convolution(x, f, bias, stride, pad, 1, candidates)


def stem(kernels, *shape):
    return conv(kernels, *shape, tiles=STEM_TILES, vector=4, wides=[])


def depthwise(kernels, b, h, w, c, r, stride):
    pad = r // 2
    x, f, bias = images(b, h, w, c), random(c, 1, r, r) / r, random(c)
    weights = f.reshape(c, r * r).t().contiguous()

    def candidates(y):
        oh, ow = y.shape[1:3]
        shape = DepthwiseShape(b, h, w, c, oh, ow, pad, pad, 1, 1)
        arguments = [*map(pointer, (x, weights, y)), shape, pointer(bias)]
        for d in DEPTHWISE_TILES:
            if d[:2] == (r, stride):
                grid = (ceil(b * ceil(oh, d[3]) * ceil(ow, d[4]), 16), ceil(c, 8 * d[2]), 1)
                yield from kernels.whole(f'depthwise {d}', grid, 128, arguments)

    return convolution(x, f, bias, stride, pad, c, candidates)


def first(kernels, b, h, w, c, n, r, stride):
    x, f, bias = images(b, h, w, c), random(n, c, r, r) / 5, random(n)
    weights = f.permute(2, 3, 1, 0).contiguous()

    def candidates(y):
        oh, ow = y.shape[1:3]
        arguments = [*map(pointer, (x, weights, y)), StemShape(b, h, w, oh, ow, n, 1, 1), pointer(bias)]
        for t in FIRST_TILES:
            if n % t[0] == 0:
                grid = (ceil(b * oh * ceil(ow, t[1]), 128), n // t[0], 1)
                yield from kernels.whole(f'first {t}', grid, 128, arguments)

    return convolution(x, f, bias, stride, 1, 1, candidates)


# kind: what is made for each of the shapes
PROBLEMS = {
    'gemm': (('gemm', gemm, GEMMS),),
    'gemv': (('gemv', gemv, GEMVS),),
    'conv': (('conv', conv, CONVS), ('stem', stem, STEMS)),
    'depthwise': (('depthwise', depthwise, DEPTHWISE), ('first', first, FIRSTS)),
}
