"""Checks and times every form of attention for each case; started by bench_attention.py."""

import ctypes
import sys
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from attention_forms import Wide, cases_of, forms_of
from cubins import ceil, keep_result, kept_cubins, results, say
from device import Module, measure, open_driver, relative_error, run_poisoned, stream, tensor_map


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


class Case:
    """Random operands of a case, and the first eight heads of its result in float32."""

    def __init__(self, batch, heads, queries, keys, depth, causal):
        self.causal = causal
        if queries == keys:
            packed = torch.randn(batch, queries, 3, heads, depth, device='cuda', dtype=torch.float16)
            q, k, v = packed.unbind(2)
        else:
            q = torch.randn(batch, queries, heads, depth, device='cuda', dtype=torch.float16)
            k, v = torch.randn(2, batch, keys, heads, depth, device='cuda', dtype=torch.float16).unbind(0)
        q.mul_(1.5)
        self.operands = q, k, v
        self.y = torch.empty(batch, queries, heads, depth, device='cuda', dtype=torch.float16)
        self.transposed = qt, kt, vt = [x.transpose(1, 2) for x in (q, k, v)]
        scale = depth**-0.5
        scores = qt[:, :8].float() @ kt[:, :8].float().transpose(-1, -2) * scale
        if causal:
            scores.masked_fill_(torch.ones(queries, keys, device='cuda', dtype=torch.bool).triu(1), float('-inf'))
        self.want = (scores.softmax(-1) @ vt[:, :8].float()).transpose(1, 2)
        right = 0 if causal else -1
        self.shape = Shape(batch, heads, heads, queries, keys, depth, depth, scale, 0, 0, -1, right, None, False, 1)
        self.blocks = lambda form: ceil(queries, form.rows) * heads * batch
        self.flops = 4 * batch * heads * queries * keys * depth / (2 if causal else 1)

    def run_of(self, form, module, driver):
        q, k, v = self.operands
        if isinstance(form, Wide):
            inputs = [heads_map(driver, x, rows) for x, rows in ((q, form.rows), (k, form.keys), (v, form.keys))]
        else:
            inputs = [view(x) for x in (q, k, v)]
        arguments = [*inputs, self.shape, view(self.y)]
        grid = (self.blocks(form), 1, 1)
        return lambda: module.launch(stream(), 'attend', grid, form.threads, arguments)

    def errors(self):
        got = self.y[:, :, :8].float()
        return relative_error(got, self.want), (got - self.want).abs().max().item()

    def torch_times(self, side):
        """Microseconds of PyTorch's choice and of its kernels that take the case."""
        run = lambda: scaled_dot_product_attention(*self.transposed, is_causal=self.causal)
        times = {'default': measure(run, side) * 1e6}
        for label, backend in (('flash', SDPBackend.FLASH_ATTENTION), ('cudnn', SDPBackend.CUDNN_ATTENTION)):
            try:
                with sdpa_kernel(backend):
                    times[label] = measure(run, side) * 1e6
            except RuntimeError:
                pass
        return times


def line(name, flops, theirs, rows, wrong):
    best = [*[r for r in rows if r[1][0] == 'w'][:4], *[r for r in rows if r[1][0] == 'm'][:1]]
    least = rows[0][0] if rows else float('inf')
    return (
        f'{name:18} torch {" ".join(f"{n} {t:.1f}" for n, t in theirs.items()):42} '
        f'ours {" ".join(f"{form} {t:.1f}" for t, form in best)}  '
        f'{theirs["default"] / least:.2f}x {flops / least * 1e-6:.0f} TF' + (f'  WRONG {wrong}' if wrong else '')
    )


def work(folder, pattern):
    torch.manual_seed(int(time.time()))
    driver = open_driver()
    cubins = kept_cubins(folder)
    side = torch.cuda.Stream()
    modules = {}
    finished = {r['name'] for r in results(folder)}
    for name, numbers in cases_of(pattern).items():
        if name in finished:
            continue
        case = Case(*numbers)
        rows, wrong = [], []
        for form in forms_of(numbers):
            if form.name not in cubins:
                continue
            say(folder, form.name)
            if form.name not in modules:
                modules[form.name] = Module(driver, cubins[form.name], form.shared)
            run = case.run_of(form, modules[form.name], driver)
            run_poisoned(run, case.y)
            error, most = case.errors()
            if error < 1e-3 and most < 1e-2:
                rows.append((measure(run, side) * 1e6, form.name))
            else:
                wrong.append((form.name, error))
        rows.sort()
        say(folder, 'torch')
        theirs = case.torch_times(side)
        print(line(name, case.flops, theirs, rows, wrong), flush=True)
        keep_result(folder, {'name': name, 'torch': theirs, 'ours': rows, 'wrong': wrong})


if __name__ == '__main__':
    work(sys.argv[1], sys.argv[2])
