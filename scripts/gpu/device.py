"""A GPU through its driver: modules, launches, tensor maps, checks and timing."""

import ctypes
import statistics

import torch


class LaunchAttribute(ctypes.Structure):
    _fields_ = [('id', ctypes.c_int), ('pad', ctypes.c_int), ('value', ctypes.c_int * 16)]


class LaunchConfig(ctypes.Structure):
    _fields_ = [(n, ctypes.c_uint) for n in 'gx gy gz bx by bz shared'.split()] + [
        ('stream', ctypes.c_void_p),
        ('attributes', ctypes.POINTER(LaunchAttribute)),
        ('count', ctypes.c_uint),
    ]


def check(code, what):
    if code:
        raise RuntimeError(f'{what}: error {code}')


def open_driver():
    torch.zeros(1, device='cuda')
    properties = torch.cuda.get_device_properties(0)
    print(f'{torch.cuda.get_device_name(0)}, {properties.multi_processor_count} multiprocessors', flush=True)
    return ctypes.CDLL('libcuda.so.1')


class Module:
    def __init__(self, driver, cubin, shared):
        self.driver = driver
        self.handle = ctypes.c_void_p()
        self.functions = {}
        self.shared = shared
        check(driver.cuModuleLoadData(ctypes.byref(self.handle), cubin), 'cuModuleLoadData')

    def function(self, name):
        if name not in self.functions:
            f = ctypes.c_void_p()
            check(self.driver.cuModuleGetFunction(ctypes.byref(f), self.handle, name.encode()), name)
            if self.shared > 48 << 10:
                check(self.driver.cuFuncSetAttribute(f, 8, self.shared), f'shared memory of {name}')
            self.functions[name] = f
        return self.functions[name]

    def launch(self, stream, name, grid, threads, args):
        pointers = (ctypes.c_void_p * len(args))(*[ctypes.cast(ctypes.pointer(a), ctypes.c_void_p) for a in args])
        x, y, z = grid
        # As engines do: the next kernel may start while this one ends, and waits before it reads.
        attribute = LaunchAttribute(6, 0, (ctypes.c_int * 16)(1))
        config = LaunchConfig(x, y, z, threads, 1, 1, self.shared, stream, ctypes.pointer(attribute), 1)
        code = self.driver.cuLaunchKernelEx(ctypes.byref(config), self.function(name), pointers, None)
        check(code, f'launch of {name}')


def stream():
    return torch.cuda.current_stream().cuda_stream


def pointer(tensor):
    return ctypes.c_void_p(tensor.data_ptr())


def encoded(encode, *arguments):
    """A tensor map, as arguments of kernels hold it."""
    memory = (ctypes.c_uint8 * 192)()
    at = (ctypes.addressof(memory) + 63) // 64 * 64
    check(encode(ctypes.c_void_p(at), *arguments), encode.__name__)
    raw = (ctypes.c_uint8 * 128)()
    ctypes.memmove(raw, at, 128)
    return raw


def tensor_map(driver, address, sizes, pitches, box):
    rank = len(sizes)
    return encoded(
        driver.cuTensorMapEncodeTiled,
        6,
        rank,
        ctypes.c_void_p(address),
        (ctypes.c_uint64 * rank)(*sizes),
        (ctypes.c_uint64 * (rank - 1))(*[2 * p for p in pitches]),
        (ctypes.c_uint32 * rank)(*box),
        (ctypes.c_uint32 * rank)(*[1] * rank),
        0,
        3,
        3,
        0,
    )


def window_map(driver, address, b, h, w, c, oh, ow, stride, pad, box_rows):
    upper = [(o - 1) * stride - pad - (n - 1) for o, n in ((ow, w), (oh, h))]
    return encoded(
        driver.cuTensorMapEncodeIm2col,
        6,
        4,
        ctypes.c_void_p(address),
        (ctypes.c_uint64 * 4)(c, w, h, b),
        (ctypes.c_uint64 * 3)(2 * c, 2 * c * w, 2 * c * w * h),
        (ctypes.c_int * 2)(-pad, -pad),
        (ctypes.c_int * 2)(*upper),
        64,
        box_rows,
        (ctypes.c_uint32 * 4)(1, stride, stride, 1),
        0,
        3,
        3,
        0,
    )


def relative_error(got, want):
    return (got.to(want.dtype) - want).norm().item() / want.norm().item()


def run_poisoned(run, result):
    """So that a kernel that writes nothing does not pass."""
    result.fill_(float('nan'))
    run()
    torch.cuda.synchronize()


def measure(run, side, budget=2e-3, least=4, most=50, repeats=7):
    """Seconds of one call, within a graph of as many as take `budget` seconds, `least` to `most`."""
    run()
    torch.cuda.synchronize()
    a, b = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    a.record()
    run()
    b.record()
    b.synchronize()
    once = max(a.elapsed_time(b) * 1e-3 - 5e-6, 2e-6)
    count = max(least, min(most, int(budget / once)))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.stream(side):
        graph.capture_begin()
        for _ in range(count):
            run()
        graph.capture_end()
    graph.replay()
    times = []
    for _ in range(repeats):
        a.record()
        graph.replay()
        b.record()
        b.synchronize()
        times.append(a.elapsed_time(b) * 1e-3 / count)
    return statistics.median(times)
