"""Networks on the GPU: exported by PyTorch, converted by ait-convert, compared and timed side by side.

usage: python scripts/gpu/models.py [--convert COMMAND] [--only REGEX] [--out DIR] [--arch A] [--jobs N] [--profile]

REGEX is matched with a network's name and batch, "ResNet-50 64".

For every network and batch: ONNX export in fp32, conversion to fp16 for this GPU, the engine's outputs
against onnxruntime in fp32 (CPU) on the same random inputs, and the time of a run against PyTorch in fp16, eager
and recorded in a CUDA graph. Prints a table in Markdown.
"""

import argparse
import json
import multiprocessing
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

import torch

sys.path.insert(0, os.path.dirname(__file__))
from engine import Engine
from networks import NETWORKS, calibrated

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


def convert(command, model, directory, arguments):
    start = time.time()
    done = subprocess.run(
        [*shlex.split(command), model, "-o", directory, "--force", "--target", "cuda", "--no-verify", "--json", *arguments],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-1500:])
    return json.loads(done.stdout), time.time() - start


def reference(path, inputs):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    return [torch.from_numpy(o) for o in session.run(None, {n: x.numpy() for n, x in zip(names, inputs)})]


def prepare(name, batch, command, arch, work):
    """What needs no GPU: the network, its inputs, its ONNX file, the engine, and what onnxruntime computes."""
    torch.set_num_threads(4)
    make, inputs_of, _ = NETWORKS[name]
    torch.manual_seed(0)
    model = calibrated(make(), inputs_of(8 if name[:2] != "SD" else 1))
    inputs = inputs_of(batch)
    directory = os.path.join(work, f"{name}-{batch}".replace("/", "_"))
    os.makedirs(directory)
    path = os.path.join(directory, "model.onnx")
    torch.onnx.export(model, inputs, path, opset_version=18, dynamo=True, external_data=True, verbose=False)
    report, seconds = convert(command, path, os.path.join(directory, "engine"), ["--arch", arch])
    torch.save((model, inputs, reference(path, inputs)), os.path.join(directory, "network.pt"))
    return directory, report, seconds


def measure(name, batch, prepared, profiled=False):
    directory, report, seconds = prepared
    model, inputs, expected = torch.load(os.path.join(directory, "network.pt"), weights_only=False)
    stream = torch.cuda.Stream()
    engine = Engine(os.path.join(directory, "engine"), stream.cuda_stream)
    row = {"network": name, "batch": batch, "seconds": seconds, "whole": engine.whole, "report": report}
    row["launches"] = sum(s.get("kernels", 0) for s in report["segments"])
    if not engine.whole:
        return row
    fed = [x.cuda() for x in inputs]
    with torch.cuda.stream(stream):
        dtypes = [TORCH_TYPES[o["dtype"]] for o in engine.manifest["outputs"]]
        got = engine.run(fed, dtypes)
        row["cosine"] = min(cosine(g.cpu(), e) for g, e in zip(got, expected))
        row["error"] = max(float((g.cpu() - e).abs().max() / e.abs().max()) for g, e in zip(got, expected))
        prepared_run = engine.prepare(fed, got)
        row["ms"] = median_ms(lambda: engine.launch(prepared_run))
        again = [g.clone() for g in got]
        engine.launch(prepared_run)
        torch.cuda.synchronize()
        row["replayed"] = all(torch.equal(a, b) for a, b in zip(again, got))
        replay, results = eager_graph(model, inputs)
        row["eager_cosine"] = min(cosine(g.cpu(), e) for g, e in zip(results, expected))
        row["eager_ms"] = median_ms(replay)
        if profiled:
            row["kernels"] = kernel_times(lambda: engine.launch(prepared_run))
            row["eager_kernels"] = kernel_times(replay)
    engine.close()
    shutil.rmtree(directory)
    return row


def line(r):
    if "failure" in r:
        return f"| {r['network']} | {r['batch']} | FAILED: {r['failure'][:300]} |"
    if "ms" not in r:
        left = [n for n in r["report"]["nodes"] if n["placement"] == "onnxruntime"]
        reasons = "; ".join(sorted({f"{n['operator']}: {n.get('reason', '')}" for n in left}))
        return f"| {r['network']} | {r['batch']} | {len(left)} nodes on onnxruntime: {reasons[:400]} |"
    ratio = r["eager_ms"] / r["ms"]
    return (
        f"| {r['network']} | {r['batch']} | {r['ms']:.3f} | {r['eager_ms']:.3f} | {ratio:.2f} "
        f"| {r['cosine']:.6f} | {r['eager_cosine']:.6f} | {r['error']:.1e} | {r['launches']} | {r['seconds']:.1f} |"
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--convert", default="npx ait-convert")
    parser.add_argument("--only", default=".")
    parser.add_argument("--out", default=".")
    parser.add_argument("--arch", help="devices to convert for; default the one at hand")
    parser.add_argument("--jobs", type=int, default=4, help="networks prepared at a time")
    parser.add_argument("--profile", action="store_true", help="times of single kernels in models.json")
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}\n", flush=True)
    print("| network | batch | ms | eager in a graph, ms | ratio | cosine | eager's | error / max | launches | conversion, s |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    jobs = [
        (name, batch)
        for name, (_, _, large) in NETWORKS.items()
        for batch in (1, large)
        if re.search(options.only, f"{name} {batch}")
    ]
    rows = []
    arch = options.arch or "sm_%d%da" % torch.cuda.get_device_capability()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as work, ProcessPoolExecutor(options.jobs, context) as pool:
        waiting = {pool.submit(prepare, *job, options.convert, arch, work): job for job in jobs}
        for done in as_completed(waiting):
            name, batch = waiting[done]
            try:
                row = measure(name, batch, done.result(), options.profile)
            except Exception as e:  # A network that fails is a row of the table.
                row = {"network": name, "batch": batch, "failure": f"{type(e).__name__}: {e}".replace("\n", " ")}
            rows.append(row)
            print(line(row), flush=True)
            torch.cuda.empty_cache()
            with open(os.path.join(options.out, "models.json"), "w") as f:
                json.dump(rows, f, indent=1, default=str)


if __name__ == "__main__":
    main()
