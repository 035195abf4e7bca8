"""Checks and times layer normalisation and softmax of rows against PyTorch's on one GPU, as bench_attention.py does.

    python3 scripts/gpu/bench_norms.py
"""

import ctypes

from cubins import ceil, compile_all, function, source

# rows, elements
LAYER_NORMS = [
    (50, 768), (128, 768), (197, 768), (1024, 768), (2464, 512), (4096, 768), (6304, 768), (3136, 96), (100352, 96),
    (25088, 192), (6272, 384), (1568, 768), (8192, 320), (16384, 320), (4096, 640), (1024, 1280), (64, 4096), (4096, 8192),
]  # fmt: skip
SOFTMAXES = [(4096, 4096), (49152, 128), (197 * 12, 197), (100352, 49), (256, 1000)]


def power_of_two(x):
    return 1 << max(0, (ceil(x, 1) - 1).bit_length())


def vector_of(n):
    return next(v for v in (8, 4, 2, 1) if n % v == 0)


def groups_of(n):
    """Threads of a row, their vectors and threads of a block: what row-groups.ts may choose, and more."""
    vector = vector_of(n)
    vectors = n // vector
    found = []
    for group in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024):
        items = ceil(vectors, group)
        if items * vector > 32 or group > 2 * vectors:
            continue
        found += [(group, items, vector, t) for t in ((32, 64, 128, 256) if group <= 32 else (group,))]
    return found


def source_of(kind, group, items, vector, threads):
    if kind == 'layer_norm':
        call = (
            f'g::norm_rows<true, {group}, {items}, {vector}>(rows, n, 1e-5f, g::read_aligned(x), g::read_aligned(a), '
            'g::read_aligned(b), g::write_aligned(y), g::NoStatistics{});'
        )
    else:
        call = (
            f'(void)a; (void)b; g::softmax_rows<g::SoftmaxForm::Softmax, {group}, {items}, {vector}>'
            '(rows, n, g::read_aligned(x), g::write_aligned(y));'
        )
    parameters = 'const f16* x, const f16* a, const f16* b, f16* y, int64_t rows, int n'
    return source('norm.h', function(threads, 'run', parameters, call))


def main():
    cases = [('layer_norm', *c) for c in LAYER_NORMS] + [('softmax', *c) for c in SOFTMAXES]
    wanted = {(kind, *g) for kind, _, n in cases for g in groups_of(n)}
    cubins = compile_all({k: source_of(*k) for k in wanted})
    # The processes that compile import this file, and need no PyTorch.
    import torch
    from device import Module, measure, open_driver, pointer, relative_error, run_poisoned, stream
    from torch.nn import functional

    driver = open_driver()
    modules = {k: Module(driver, c, 0) for k, c in cubins.items()}
    side = torch.cuda.Stream()
    for kind, rows, n in cases:
        x = torch.randn(rows, n, device='cuda', dtype=torch.float16) + 0.5
        a, b = torch.randn(2, n, device='cuda', dtype=torch.float16)
        y = torch.empty_like(x)
        if kind == 'layer_norm':
            want = functional.layer_norm(x.double(), (n,), a.double(), b.double())
            theirs = lambda: functional.layer_norm(x, (n,), a, b)
        else:
            want = x.double().softmax(-1)
            theirs = lambda: x.softmax(-1)
        times, wrong = [], []
        for g in groups_of(n):
            if (kind, *g) not in modules:
                continue
            args = [*map(pointer, (x, a, b, y)), ctypes.c_int64(rows), ctypes.c_int(n)]

            def run(m=modules[kind, *g], g=g, args=args):
                blocks = ceil(rows, g[3] // g[0])
                m.launch(stream(), 'run', (blocks, 1, 1), g[3], args)

            run_poisoned(run, y)
            error = relative_error(y, want)
            if error < 1e-3:
                times.append((measure(run, side) * 1e6, g))
            else:
                wrong.append((g, error))
        times.sort()
        best = '  '.join(f'{g}: {t:.1f}' for t, g in times[:4])
        print(
            f'{kind:10} {rows}x{n}: torch {measure(theirs, side) * 1e6:.1f} us, ours {best}'
            f'  worst {times[-1][0] if times else 0:.1f}{f"  WRONG {wrong}" if wrong else ""}',
            flush=True,
        )


if __name__ == '__main__':
    main()
