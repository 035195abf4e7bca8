"""Checks and times the device's attention against PyTorch's on one Hopper GPU, as bench_kernels.py does products.

Every form of both kernels, with mma.sync and with wgmma, is checked against float32 on fresh random numbers with its
result poisoned first, and only then timed. Prints for each shape what PyTorch chooses, its flash and cuDNN kernels, and
the best forms; writes every number to $OUT/attention.json.

    python3 scripts/gpu/bench_attention.py [REGEX of cases]
"""

import ctypes
import json
import os
import re
import sys
import tempfile
import time

from device import (
    Module, ceil, compile_all, keep_cubins, kept_cubins, measure, run_worker, say, stream, tensor_map,
)  # fmt: skip

# name: batch, heads, queries, keys, depth, causal
CASES = {
    'odd': (2, 3, 150, 211, 40, False),
    'odd causal': (2, 3, 211, 211, 64, True),
    'odd deep': (1, 3, 130, 333, 160, False),
    'odd 80': (2, 2, 77, 130, 80, False),
    'one key': (1, 2, 70, 1, 64, False),
    'ViT 1': (1, 12, 197, 197, 64, False),
    'ViT 32': (32, 12, 197, 197, 64, False),
    'GPT-2 1': (1, 12, 128, 128, 64, True),
    'GPT-2 8': (8, 12, 128, 128, 64, True),
    'CLIP text 32': (32, 8, 77, 77, 64, True),
    'CLIP vision 32': (32, 12, 50, 50, 64, False),
    'BERT 32': (32, 12, 128, 128, 64, False),
    **{
        f'UNet {q} {b}{" text" if k == 77 else ""}': (b, 8, q, k, d, False)
        for b in (1, 4)
        for q, d in ((4096, 40), (1024, 80), (256, 160), (64, 160))
        for k in (q, 77)
    },
    'long causal': (1, 16, 4096, 4096, 64, True),
}
WGMMA_DEPTHS = (40, 64, 80, 96, 128, 160)
# keys, groups, shares, stages, blocks of a multiprocessor, whether in order
WIDE_FORMS = {
    64: [
        (64, 4, 1, 4, 1, True), (64, 4, 1, 4, 1, False), (64, 3, 1, 4, 1, True), (64, 2, 1, 4, 1, True),
        (64, 2, 1, 4, 2, True), (64, 2, 1, 4, 2, False), (64, 1, 1, 4, 3, False), (64, 1, 1, 2, 4, False),
        (64, 1, 2, 4, 1, False), (64, 1, 2, 2, 2, False), (64, 1, 4, 4, 1, False), (64, 2, 2, 4, 1, False),
        (80, 2, 1, 2, 1, True), (80, 1, 1, 2, 2, False), (80, 1, 1, 2, 3, False), (80, 2, 1, 1, 2, True),
        (80, 3, 1, 3, 1, True),
    ],
    128: [
        (64, 3, 1, 3, 1, True), (64, 2, 1, 3, 1, True), (64, 2, 1, 2, 2, True), (64, 1, 1, 3, 2, False),
        (64, 1, 2, 4, 1, False), (64, 1, 2, 2, 2, False), (64, 2, 2, 4, 1, False), (80, 1, 1, 1, 3, False), (80, 2, 1, 1, 2, True),
        (80, 2, 1, 3, 1, True), (64, 4, 1, 3, 1, True),
    ],
    192: [
        (64, 2, 1, 2, 1, True), (64, 1, 1, 4, 1, False), (64, 1, 1, 1, 2, False), (64, 1, 2, 4, 1, False),
        (64, 1, 2, 2, 1, False), (80, 1, 1, 1, 1, False), (80, 1, 1, 1, 2, False),
    ],
}  # fmt: skip
# warps, tiles, keys
NARROW_FORMS = [(4, 1, 64), (4, 2, 64), (4, 1, 32), (4, 1, 80), (8, 1, 64)]


def flag(x):
    return 'true' if x else 'false'


class Wide:
    def __init__(self, depth, form, causal):
        self.keys, self.groups, self.shares, self.stages, blocks, ordered = form
        keys, values = ceil(depth, 16) * 16, next(d for d in WGMMA_DEPTHS if d >= depth)
        groups = self.groups * self.shares
        self.threads = 128 * groups + (128 if groups == 4 else 32)
        self.rows = 64 * self.groups
        panels = ceil(keys, 64), ceil(values, 64)
        self.shared = 128 * (max(panels) * self.rows + self.stages * self.keys * sum(panels)) + 8 + 32 * self.stages
        numbers = f'k{self.keys}g{self.groups}s{self.shares}t{self.stages}b{blocks}{"o" if ordered else ""}'
        self.name = f'w{depth}{numbers}{"c" if causal else ""}'
        form = ', '.join(str(n) for n in (keys, values, self.keys, self.groups, self.shares, self.stages))
        text = f'g::WideAttention<{form}, {flag(causal)}, {flag(ordered)}>'
        maps = ', '.join(f'const __grid_constant__ g::TensorMap {n}' for n in 'qkv')
        self.source = source(
            'attention_sm90.h', f'{self.threads}, {blocks}', f'{maps}, g::AttentionShape s, g::HeadsView<f16> y',
            f'g::attention_sm90<{text}, f16>(s, q, k, v, y);',
        )  # fmt: skip


class Narrow:
    def __init__(self, depth, form, causal):
        warps, tiles, keys = form
        d = ceil(depth, 16) * 16
        self.threads, self.rows = 32 * warps, 16 * warps * tiles
        self.shared = 2 * (self.rows + 4 * keys) * (d + 8)
        self.name = f'm{depth}w{warps}t{tiles}k{keys}{"c" if causal else ""}'
        text = f'g::AttentionForm<{d}, {d}, {warps}, {tiles}, {keys}, true, true, false, {flag(causal)}, false>'
        views = ', '.join(f'g::HeadsView<const f16> {n}' for n in 'qkv')
        self.source = source(
            'attention.h', self.threads, f'{views}, g::AttentionShape s, g::HeadsView<f16> y',
            f'g::attention<{text}, f16, g::NoMask>(s, q, k, v, g::MaskView<g::NoMask>{{}}, y, g::AttentionParts{{nullptr, nullptr}});',
        )  # fmt: skip


def source(header, bounds, parameters, call):
    return (
        f'#include "ait/gpu/{header}"\nnamespace g = ait::gpu;\nusing ait::f16;\n'
        f'AIT_GLOBAL({bounds}) void attend({parameters}) {{ g::wait_for_previous(); g::let_next_start(); {call} }}\n'
    )


def forms_of(case):
    _, _, queries, keys, depth, causal = case
    fits = lambda f: (f[1] == 1 or 64 * (f[1] - 1) < queries) and (f[0] == 64 or keys <= 400)
    wide = [Wide(depth, f, causal) for f in WIDE_FORMS[ceil(depth, 64) * 64] if fits(f)]
    narrow = [Narrow(depth, f, causal) for f in NARROW_FORMS if f[2] < keys + 16 or f[2] <= 64]
    return [f for f in wide if keys > 64 or f.shares == 1] + [f for f in narrow if f.shared <= 227 << 10]


class Shape(ctypes.Structure):
    _fields_ = (
        [(n, ctypes.c_int) for n in 'batch heads kv_heads queries keys depth value_depth'.split()]
        + [('scale', ctypes.c_float), ('softcap', ctypes.c_float)]
        + [(n, ctypes.c_int) for n in 'offset left right'.split()]
        + [('lengths', ctypes.c_void_p), ('by_lengths', ctypes.c_bool), ('packed', ctypes.c_int)]
    )


class View(ctypes.Structure):
    _fields_ = [('p', ctypes.c_void_p), ('batch', ctypes.c_int64), ('head', ctypes.c_int64), ('row', ctypes.c_int64)]


def view(x):
    """Of a tensor [batch, rows, heads, depth]."""
    return View(x.data_ptr(), x.stride(0), x.stride(2), x.stride(1))


def heads_map(driver, x, rows):
    batch, length, heads, depth = x.shape
    pitches = [max(8, x.stride(i)) for i in (1, 2, 0)]
    return tensor_map(driver, x.data_ptr(), (depth, length, heads, batch), pitches, (64, rows, 1, 1))


def main():
    pattern = sys.argv[1] if len(sys.argv) > 1 else ''
    cases = {n: c for n, c in CASES.items() if re.search(pattern, n)}
    forms = {f.name: f for c in cases.values() for f in forms_of(c)}
    folder = tempfile.mkdtemp()
    keep_cubins(folder, compile_all({n: f.source for n, f in forms.items()}))
    run_worker(folder, [__file__, '--worker', folder, pattern], patience=12, attempts=8)


def work(folder, pattern):
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    torch.manual_seed(int(time.time()))
    driver = ctypes.CDLL('libcuda.so.1')
    torch.zeros(1, device='cuda')
    print(torch.cuda.get_device_name(0), flush=True)
    cubins = kept_cubins(folder)
    side = torch.cuda.Stream()
    modules = {}
    done_path = os.path.join(folder, 'done')
    done = json.load(open(done_path)) if os.path.exists(done_path) else {}

    for name, case in CASES.items():
        if not re.search(pattern, name) or name in done:
            continue
        batch, heads, queries, keys, depth, causal = case
        if queries == keys:
            packed = torch.randn(batch, queries, 3, heads, depth, device='cuda', dtype=torch.float16)
            q, k, v = packed.unbind(2)
        else:
            q = torch.randn(batch, queries, heads, depth, device='cuda', dtype=torch.float16)
            k, v = torch.randn(2, batch, keys, heads, depth, device='cuda', dtype=torch.float16).unbind(0)
        q.mul_(1.5)
        y = torch.empty(batch, queries, heads, depth, device='cuda', dtype=torch.float16)
        qt, kt, vt = (x.transpose(1, 2) for x in (q, k, v))
        scale = depth**-0.5
        scores = qt[:, :8].float() @ kt[:, :8].float().transpose(-1, -2) * scale
        if causal:
            scores.masked_fill_(torch.ones(queries, keys, device='cuda', dtype=torch.bool).triu(1), float('-inf'))
        want = (scores.softmax(-1) @ vt[:, :8].float()).transpose(1, 2)
        del scores
        shape = Shape(
            batch, heads, heads, queries, keys, depth, depth, scale, 0, 0, -1, 0 if causal else -1, None, False, 1
        )
        rows, wrong = [], []
        for form in forms_of(case):
            if form.name not in cubins:
                continue
            say(folder, form.name)
            if form.name not in modules:
                modules[form.name] = Module(driver, cubins[form.name], form.shared)
            if isinstance(form, Wide):
                args = [heads_map(driver, q, form.rows), *(heads_map(driver, x, form.keys) for x in (k, v))]
            else:
                args = [view(q), view(k), view(v)]
            args += [shape, view(y)]
            grid = (ceil(queries, form.rows) * heads * batch, 1, 1)

            def run(module=modules[form.name], form=form, args=args, grid=grid):
                module.launch(stream(), 'attend', grid, form.threads, args)

            y.fill_(float('nan'))
            run()
            torch.cuda.synchronize()
            got = y[:, :, :8].float()
            error = (got - want).norm().item() / want.norm().item()
            most = (got - want).abs().max().item()
            if not (error < 1e-3 and most < 1e-2):
                wrong.append((form.name, error))
                continue
            rows.append((measure(run, side) * 1e6, form.name))
        rows.sort()
        say(folder, 'torch')

        def theirs():
            return torch.nn.functional.scaled_dot_product_attention(qt, kt, vt, is_causal=causal)

        torch_times = {'default': measure(theirs, side) * 1e6}
        for label, backend in (('flash', SDPBackend.FLASH_ATTENTION), ('cudnn', SDPBackend.CUDNN_ATTENTION)):
            try:
                with sdpa_kernel(backend):
                    torch_times[label] = measure(theirs, side) * 1e6
            except RuntimeError:
                pass
        best = [*[r for r in rows if r[1][0] == 'w'][:4], *[r for r in rows if r[1][0] == 'm'][:1]]
        flops = 4 * batch * heads * queries * keys * depth / (2 if causal else 1)
        text = ' '.join(f'{b[1]} {b[0]:.1f}' for b in best if b)
        least = rows[0][0] if rows else float('inf')
        print(
            f'{name:18} torch {" ".join(f"{n} {t:.1f}" for n, t in torch_times.items()):42} ours {text}  '
            f'{torch_times["default"] / least:.2f}x {flops / least * 1e-6:.0f} TF'
            + (f'  WRONG {wrong}' if wrong else ''),
            flush=True,
        )
        done[name] = {'torch': torch_times, 'ours': rows, 'wrong': wrong}
        with open(done_path, 'w') as file:
            json.dump(done, file)
    with open(os.path.join(os.environ.get('OUT', '.'), 'attention.json'), 'w') as file:
        json.dump(done, file)


if __name__ == '__main__':
    if sys.argv[1:2] == ['--worker']:
        work(sys.argv[2], sys.argv[3])
    else:
        main()
