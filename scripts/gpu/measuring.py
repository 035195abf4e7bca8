"""Networks on the GPU, compared with onnxruntime's results and timed beside PyTorch."""

import math
import os
import shutil
import time

import torch

from conversion import command_json
from engine import Engine

TORCH_TYPES = {"f32": torch.float32, "f16": torch.float16, "i64": torch.int64, "i32": torch.int32, "bool": torch.bool}


def median_ms(run, seconds=0.5):
    """Median over runs timed one by one with device events, after warming up."""
    for _ in range(5):
        run()
    torch.cuda.synchronize()
    times = []
    end = time.time() + seconds
    while time.time() < end or len(times) < 10:
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(21)]
        marks[0].record()
        for m in marks[1:]:
            run()
            m.record()
        torch.cuda.synchronize()
        times += [a.elapsed_time(b) for a, b in zip(marks, marks[1:])]
    times.sort()
    return times[len(times) // 2]


def eager_graph(model, inputs):
    """PyTorch in fp16, channels last, recorded once and replayed; and what it computes."""
    half = model.half().cuda().to(memory_format=torch.channels_last)
    fed = [x.half() if x.is_floating_point() else x for x in (i.cuda() for i in inputs)]
    fed = [x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x for x in fed]
    stream = torch.cuda.Stream()
    with torch.no_grad(), torch.cuda.stream(stream):
        for _ in range(3):
            half(*fed)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            results = half(*fed)
    graph.replay()
    torch.cuda.synchronize()
    return graph.replay, results if isinstance(results, tuple) else (results,)


def kernel_times(run, count=10):
    """Microseconds of each kernel in a run, the longest first: name, calls in a run, time of all of them."""
    from torch.profiler import ProfilerActivity, profile

    run()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        for _ in range(count):
            run()
        torch.cuda.synchronize()
    times = [(e.key, e.count / count, e.device_time_total / count) for e in profiled.key_averages()]
    return sorted(times, key=lambda t: -t[2])


def cosine(a, b):
    a, b = a.double().flatten(), b.double().flatten()
    return float(torch.dot(a, b) / (a.norm() * b.norm()).clamp_min(1e-30))


def share_of_tolerance(got, expected, scale):
    """The largest error as a share of what the diff command allows: 1 passes. src/accuracy/tolerance.ts explains it."""
    e, g = expected.double(), got.double()
    f32 = 2.0**-23
    stored = {"f16": 2.0**-10, "tf32": 2.0**-10, "bf16": 2.0**-7}.get(scale.get("storage"), f32)
    chance = math.sqrt(2 * math.log(2 * max(1, e.numel()) / 1e-6))
    sums = f32 * math.sqrt(max(16, scale["accumulation"]))
    t = chance * math.sqrt(max(1, scale["depth"])) * (sums + stored)
    allowed = t * e.pow(2).mean().sqrt() + t * e.abs()
    return float(((g - e).abs() / allowed).max())


def compiled_share(report):
    """Of the arithmetic, in percent."""
    work = [(n["work"], n["placement"]) for n in report["nodes"]]
    left = sum(w for w, placement in work if placement == "fallback")
    return 100 * (1 - left / max(1, sum(w for w, _ in work)))


def measure(name, batch, prepared, profiled=False):
    directory, report, times = prepared
    row = {"network": name, "batch": batch, "times": times, "report": report, "compiled": compiled_share(report)}
    model, inputs, expected = torch.load(os.path.join(directory, "network.pt"), weights_only=False, mmap=True)
    stream = torch.cuda.Stream()
    engine = Engine(os.path.join(directory, "engine"), stream.cuda_stream)
    if not engine.whole:
        return row
    fed = [x.cuda() for x in inputs]
    with torch.cuda.stream(stream):
        dtypes = [TORCH_TYPES[o["dtype"]] for o in engine.manifest["outputs"]]
        got = engine.run(fed, dtypes)
        pairs = list(zip([g.cpu() for g in got], expected))
        row["cosine"] = min(cosine(g, e) for g, e in pairs)
        row["error"] = max(float((g - e).abs().max() / e.abs().max()) for g, e in pairs)
        row["tolerance"] = max(share_of_tolerance(g, e, engine.manifest["scale"]) for g, e in pairs)
        prepared_run = engine.prepare(fed, got)
        row["ms"] = median_ms(lambda: engine.launch(prepared_run))
        again = [g.clone() for g in got]
        engine.launch(prepared_run)
        torch.cuda.synchronize()
        row["replayed"] = all(torch.equal(a, b) for a, b in zip(again, got))
        replay, results = eager_graph(model, inputs)
        row["eager_cosine"] = min(cosine(g.cpu(), e) for g, e in zip(results, expected))
        row["eager_ms"] = median_ms(replay)
        kernels = kernel_times(lambda: engine.launch(prepared_run))
        row["launches"] = round(sum(calls for name, calls, _ in kernels if not name.startswith("Mem")))
        if profiled:
            row["kernels"] = kernels
            row["eager_kernels"] = kernel_times(replay)
    engine.close()
    shutil.rmtree(directory)
    return row


def measure_split(name, batch, prepared, command):
    """A network that onnxruntime runs in part: by the commands, whole and against onnxruntime alone."""
    directory, report, times = prepared
    engine, model = os.path.join(directory, "engine"), os.path.join(directory, "model.onnx")
    fed = ["--input", f"{report['model']['inputs'][0]['name']}=@{os.path.join(directory, 'picture.npy')}"]
    row = {"network": name, "batch": batch, "times": times, "report": report, "compiled": compiled_share(report)}
    row["bench"] = command_json(command, "bench", engine, "--against", "onnxruntime", "--model", model, *fed)
    row["diff"] = command_json(command, "diff", engine, "--model", model, *fed, codes=(0, 1))
    shutil.rmtree(directory)
    return row
