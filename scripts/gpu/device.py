"""What the benchmarks of single kernels share: compiling by NVRTC, launches through the driver, tensor maps, timing.

Nothing here imports PyTorch before a GPU is used: the processes that compile do not need it.
"""

import ctypes
import glob
import json
import multiprocessing
import os
import pickle
import statistics
import subprocess
import sys
import sysconfig
import time

INCLUDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'kernels', 'include')
ARCH = os.environ.get('AIT_ARCH', 'sm_90a')


def ceil(a, b):
    return (a + b - 1) // b


# ---- Compiling -------------------------------------------------------------------------------------------------------


def compile_one(job):
    key, source = job
    roots = [sysconfig.get_paths()['purelib'], os.environ.get('AIT_NVRTC', '')]
    libs = [p for r in roots for p in glob.glob(os.path.join(r, 'nvidia', 'cu13', 'lib')) if r]
    ctypes.CDLL(glob.glob(libs[0] + '/libnvrtc-builtins.so.13*')[0], mode=ctypes.RTLD_GLOBAL)
    nvrtc = ctypes.CDLL(libs[0] + '/libnvrtc.so.13')
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b'kernel.cu', 0, None, None)
    options = [f'--gpu-architecture={ARCH}', '-std=c++17', f'-I{INCLUDE}', '-default-device']
    array = (ctypes.c_char_p * len(options))(*[o.encode() for o in options])
    begin = time.time()
    failed = nvrtc.nvrtcCompileProgram(program, len(options), array)
    size = ctypes.c_size_t()
    if failed:
        nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        nvrtc.nvrtcGetProgramLog(program, log)
        return key, None, log.value.decode()
    nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
    cubin = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetCUBIN(program, cubin)
    return key, cubin.raw, f'{time.time() - begin:.2f}'


def compile_all(sources):
    """Of {key: source} those that compile, as {key: cubin}."""
    begin = time.time()
    with multiprocessing.get_context('spawn').Pool(max(1, min(len(sources), os.cpu_count()))) as pool:
        compiled = pool.map(compile_one, sources.items(), chunksize=1)
    print(f'{len(sources)} sources compiled in {time.time() - begin:.1f} s', flush=True)
    for key, cubin, log in compiled:
        if cubin is None:
            print(f'{key} does not compile\n{log[:2000]}')
    return {key: cubin for key, cubin, _ in compiled if cubin}


# ---- Processes that a bad kernel may take down -----------------------------------------------------------------------


def keep_cubins(folder, cubins):
    with open(os.path.join(folder, 'cubins'), 'wb') as file:
        pickle.dump(cubins, file)


def kept_cubins(folder):
    """Those that took no process down so far."""
    with open(os.path.join(folder, 'cubins'), 'rb') as file:
        cubins = pickle.load(file)
    with open(os.path.join(folder, 'excluded')) as file:
        excluded = set(json.load(file))
    return {k: c for k, c in cubins.items() if k not in excluded}


def say(folder, text):
    """Notes what a worker is about to run: a cubin's key, and more behind a bar."""
    with open(os.path.join(folder, 'now'), 'w') as file:
        file.write(text)


def run_worker(folder, command, patience, attempts):
    """Has a process work, and another without the kernel that took it down or ran for `patience` seconds.

    Returns the keys of the kernels left out.
    """
    excluded = []
    now = os.path.join(folder, 'now')
    for _ in range(attempts):
        with open(os.path.join(folder, 'excluded'), 'w') as file:
            json.dump(excluded, file)
        say(folder, 'start')
        worker = subprocess.Popen([sys.executable, *command])
        while worker.poll() is None:
            time.sleep(0.2)
            if time.time() - os.path.getmtime(now) > patience:
                worker.kill()
                worker.wait()
        if worker.returncode == 0:
            break
        with open(now) as file:
            culprit = file.read()
        print(f'FAILED ({worker.returncode}) at {culprit}', flush=True)
        excluded.append(culprit.split('|')[0])
    return excluded


# ---- The driver ------------------------------------------------------------------------------------------------------


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
    import torch

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


def measure(run, side, budget=2e-3, least=4, most=50, repeats=7):
    """Seconds of one call, within a graph of as many as take `budget` seconds, `least` to `most`."""
    import torch

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
