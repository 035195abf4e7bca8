"""Kernels that are compiled by NVRTC, and processes that a bad one may take down.

Nothing here imports PyTorch: the processes that compile do not need it.
"""

import ctypes
import glob
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import sysconfig
import tempfile
import time

INCLUDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'kernels', 'include')
ARCH = os.environ.get('AIT_ARCH', 'sm_90a')


def ceil(a, b):
    return (a + b - 1) // b


def source(header, *definitions):
    return f'#include "ait/gpu/{header}"\nnamespace g = ait::gpu;\nusing ait::f16;\n' + ''.join(definitions)


def function(bounds, name, parameters, body, waits=True):
    """A kernel that waits for the one before it and lets the next one start, unless its body does that by itself."""
    start = 'g::wait_for_previous(); g::let_next_start(); ' if waits else ''
    return f'AIT_GLOBAL({bounds}) void {name}({parameters}) {{ {start}{body} }}\n'


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


def run_worker(folder, command, patience, attempts):
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


def benchmark(sources, worker, arguments, patience, attempts):
    """Has the script `worker` work with the kernels of {key: source}, and again without the one that took it down or
    ran for `patience` seconds. Its arguments are a folder and those given.

    Returns what it kept by keep_result, and the keys of the kernels left out.
    """
    folder = tempfile.mkdtemp()
    with open(os.path.join(folder, 'cubins'), 'wb') as file:
        pickle.dump(compile_all(sources), file)
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), worker)
    excluded = run_worker(folder, [script, folder, *arguments], patience, attempts)
    return results(folder), excluded


def write_report(name, report):
    with open(os.path.join(os.environ.get('OUT', '.'), name), 'w') as file:
        json.dump(report, file)


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


def keep_result(folder, item):
    with open(os.path.join(folder, 'results'), 'a') as file:
        file.write(json.dumps(item) + '\n')


def results(folder):
    """Those of this worker, and of those before it that were taken down."""
    path = os.path.join(folder, 'results')
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [json.loads(line) for line in file]
