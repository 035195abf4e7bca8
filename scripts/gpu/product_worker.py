"""Checks and times every launch of each problem; started by bench_kernels.py."""

import sys

import torch

from cubins import keep_result, kept_cubins, results, say
from device import measure, relative_error, run_poisoned
from product_kernels import Kernels
from product_problems import PROBLEMS


def line(kind, shape, flops, theirs, rows):
    if not rows:
        return f'{kind} {shape} nothing is right'
    t, name = rows[0]
    best = {w: next((r for r in rows if r[1].startswith(w)), None) for w in 'mwb'}
    other = ' '.join(f'{w}: {b[1]} {b[0] * 1e6:.1f}' for w, b in best.items() if b)
    return (
        f'{kind:9} {str(shape):38} torch {theirs * 1e6:8.1f} us  ours {t * 1e6:8.1f} us  {theirs / t:5.2f}x '
        f'{flops / t * 1e-12:6.1f} TF  {other or name}'
    )


def work(folder, kinds):
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    torch.backends.cudnn.benchmark = True
    kernels = Kernels(kept_cubins(folder))
    finished = {(r['kind'], tuple(r['shape'])) for r in results(folder)}
    torch.manual_seed(1)
    side = torch.cuda.Stream()
    wrong = []

    def timed(run):
        return measure(run, side, least=2, most=40, repeats=5)

    def solve(kind, shape, problem):
        rows = []
        for key, name, run in problem.candidates:
            say(folder, f'{key}|{shape} {name}')
            run_poisoned(run, problem.result)
            error = relative_error(problem.result, problem.want)
            if error < 2e-3:
                rows.append((timed(run), name))
            else:
                wrong.append((kind, shape, name, error))
        rows.sort()
        theirs = timed(problem.reference)
        keep_result(folder, {'kind': kind, 'shape': shape, 'torch': theirs, 'ours': rows})
        print(line(kind, shape, problem.flops, theirs, rows), flush=True)

    for kind, make, shapes in (p for k in PROBLEMS if k in kinds for p in PROBLEMS[k]):
        for shape in shapes:
            if (kind, shape) not in finished:
                solve(kind, shape, make(kernels, *shape))
    for item in wrong[:40]:
        print('WRONG', *item)
    print(f'{len(wrong)} wrong', flush=True)


if __name__ == '__main__':
    work(sys.argv[1], sys.argv[2:])
