"""Networks on the GPU: exported by PyTorch, converted by ait-convert, compared and timed side by side.

usage: python scripts/gpu/models.py [--convert COMMAND] [--only REGEX] [--out DIR] [--arch A] [--jobs N]
                                    [--work DIR] [--seconds S] [--profile]

REGEX is matched with a network's name and batch, "ResNet-50 64".

For every network and batch: ONNX export in fp32, conversion to fp16 for this GPU, the engine's outputs
against onnxruntime in fp32 (CPU) on the same random inputs, and the time of a run against PyTorch in fp16, eager
and recorded in a CUDA graph. Writes gpu-models.md and models.json.
"""

import argparse
import json
import math
import multiprocessing
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, TimeoutError, as_completed

import numpy
import torch

sys.path.insert(0, os.path.dirname(__file__))
from engine import Engine
from networks import NETWORKS, SLOWEST, calibrated, mask_rcnn, picture

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


def command_json(command, *arguments, codes=(0,)):
    done = subprocess.run([*shlex.split(command), *arguments, "--json"], capture_output=True, text=True)
    if done.returncode not in codes:
        raise RuntimeError(done.stderr[-1500:] + done.stdout[-500:])
    return json.loads(done.stdout)


def convert(command, model, directory, arguments):
    start = time.time()
    report = command_json(command, model, "-o", directory, "--force", "--target", "cuda", "--no-verify", *arguments)
    return report, time.time() - start


def reference(path, inputs):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    return [torch.from_numpy(o) for o in session.run(None, {n: x.numpy() for n, x in zip(names, inputs)})]


def prepare(name, batch, command, arch, work):
    """What needs no GPU: the network, its inputs, its ONNX file, the engine, and what onnxruntime computes."""
    torch.set_num_threads(4)
    times, start = {}, time.time()

    def lap(step):
        nonlocal start
        times[step] = round(time.time() - start, 1)
        start = time.time()

    directory = os.path.join(work, f"{name}-{batch}".replace("/", "_"))
    os.makedirs(directory)
    path = os.path.join(directory, "model.onnx")
    torch.manual_seed(0)
    if name == "Mask R-CNN":
        model, pictures = mask_rcnn(), [picture()]
        lap("model")
        torch.onnx.export(model, (pictures,), path, opset_version=17, dynamo=False, verbose=False)
        lap("export")
        report, _ = convert(command, path, os.path.join(directory, "engine"), ["--arch", arch])
        numpy.save(os.path.join(directory, "picture.npy"), pictures[0].numpy())
        lap("conversion")
        return directory, report, times
    _, make, inputs_of, _ = NETWORKS[name]
    model = calibrated(make(), inputs_of(8 if name[:2] != "SD" else 1))
    inputs = inputs_of(batch)
    lap("model")
    torch.onnx.export(model, inputs, path, opset_version=18, dynamo=True, external_data=True, verbose=False)
    lap("export")
    report, _ = convert(command, path, os.path.join(directory, "engine"), ["--arch", arch])
    lap("conversion")
    expected = reference(path, inputs)
    lap("reference")
    os.remove(path)
    data = path + ".data"
    if os.path.exists(data):
        os.remove(data)
    torch.save((model.half(), inputs, expected), os.path.join(directory, "network.pt"))
    lap("save")
    return directory, report, times


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


NOTES = """`ms` is the time of a run with inputs and outputs on the device; *eager* is PyTorch in fp16, channels last, recorded in a CUDA graph and replayed; cosine and error are those of the worst output against onnxruntime in fp32, eager's own beside them; *of tolerance* is the largest error as a share of what the diff command allows, 1 or less passes."""  # noqa: E501

HEAD = """| network | from | batch | compiled | launches | ms | eager, ms | ratio | cosine | eager's | error / max | of tolerance |
|---|---|---|---|---|---|---|---|---|---|---|---|"""


def line(r):
    source = NETWORKS[r["network"]][0] if r["network"] in NETWORKS else "torchvision"
    start = f"| {r['network']} | {source} | {r['batch']} |"
    if "failure" in r:
        return f"{start} FAILED: {r['failure'][:300]} |"
    start += f" {r['compiled']:.4g} % |"
    if "ms" not in r:
        left = [n for n in r["report"]["nodes"] if n["placement"] == "fallback"]
        reasons = "; ".join(sorted({f"{n['operator']}: {n.get('reason', '')}" for n in left}))
        return f"{start} {len(left)} nodes on onnxruntime: {reasons[:400]} |"
    ratio = r["eager_ms"] / r["ms"]
    return (
        f"{start} {r['launches']} | {r['ms']:.3f} | {r['eager_ms']:.3f} | {ratio:.2f} "
        f"| {r['cosine']:.6f} | {r['eager_cosine']:.6f} | {r['error']:.1e} | {r['tolerance']:.2f} |"
    )


def split_text(r):
    """What a network that is compiled in part comes to, as a paragraph."""
    if "failure" in r:
        return f"{r['network']}: FAILED: {r['failure'][:600]}"
    bench, segments = r["bench"], r["report"]["segments"]
    compiled = [s for s in segments if s["placement"] == "engine"]
    left = sorted({n["operator"] for n in r["report"]["nodes"] if n["placement"] == "fallback"})
    saves, costs = (1e3 * sum(s.get(k, 0) for s in compiled) for k in ("saves", "costs"))
    outputs = [o["comparison"] for o in r["diff"]["outputs"]]
    return (
        f"{r['network']} (torchvision, batch {r['batch']}, 320×320), through the Node runtime: {r['compiled']:.6g} % of its "
        f"work in {len(compiled)} compiled segments, {sum(s['kernels'] for s in compiled)} kernels; left to onnxruntime: "
        f"{', '.join(left) or 'nothing'}. By the report's estimate compiling saves {saves:.3g} ms a run and the borders "
        f"cost {costs:.3g} ms. Measured: {bench['engine']['median']:.2f} ms, onnxruntime alone on {bench['threads']} "
        f"threads {bench['onnxruntime']['median']:.2f} ms, {bench['ratio']:.2f} times as long. Against onnxruntime in fp32: "
        f"cosines {', '.join('%.6f' % o['cosine'] for o in outputs)}; the diff command says "
        f"{'pass' if r['diff']['pass'] else 'fail'}."
    )


def table(rows, device):
    order = [*NETWORKS, "Mask R-CNN"]
    whole = [r for r in rows if r["network"] in NETWORKS]
    whole.sort(key=lambda r: (order.index(r["network"]), r["batch"]))
    split = [r for r in rows if r["network"] not in NETWORKS]
    head = ["<!-- Printed by scripts/gpu/models.py. -->", "", device, NOTES, "", HEAD]
    parts = [*head, *map(line, whole), "", *map(split_text, split)]
    return "\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--convert", default="npx ait-convert")
    parser.add_argument("--only", default=".")
    parser.add_argument("--out", default=".")
    parser.add_argument("--arch", help="devices to convert for; default the one at hand")
    parser.add_argument("--jobs", type=int, default=5, help="networks prepared at a time")
    parser.add_argument("--work", help="where models and engines lie meanwhile, up to 30 GB")
    parser.add_argument("--seconds", type=float, help="networks not prepared by then are left out")
    parser.add_argument("--profile", action="store_true", help="times of single kernels in models.json")
    options = parser.parse_args()
    deadline = math.inf if options.seconds is None else time.time() + options.seconds
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    device = f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__} in the same process; random weights; fp16."
    arch = options.arch or "sm_%d%da" % torch.cuda.get_device_capability()
    every = [(name, batch) for name, (*_, large) in NETWORKS.items() for batch in (1, large)] + [("Mask R-CNN", 1)]
    jobs = [job for job in every if re.search(options.only, "%s %d" % job)]
    jobs.sort(key=lambda job: SLOWEST.index(job[0]) if job[0] in SLOWEST else len(SLOWEST))
    rows, split = [], []

    def keep(row):
        rows.append(row)
        print(line(row) if row["network"] in NETWORKS else split_text(row), row.get("times", ""), flush=True)
        with open(os.path.join(options.out, "models.json"), "w") as f:
            json.dump(rows, f, indent=1, default=str)
        with open(os.path.join(options.out, "gpu-models.md"), "w") as f:
            f.write(table(rows, device))

    def attempt(name, batch, work):
        try:
            keep(work())
        except Exception as e:  # A network that fails is a row of the table.
            reason = f"{type(e).__name__}: {e}".replace("\n", " ")
            keep({"network": name, "batch": batch, "failure": reason})
        torch.cuda.empty_cache()

    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(dir=options.work, ignore_cleanup_errors=True) as work:
        pool = ProcessPoolExecutor(options.jobs, context)
        waiting = {pool.submit(prepare, *job, options.convert, arch, work): job for job in jobs}
        try:
            for done in as_completed(waiting, None if deadline == math.inf else max(0, deadline - time.time())):
                name, batch = waiting.pop(done)
                if name in NETWORKS:
                    attempt(name, batch, lambda: measure(name, batch, done.result(), options.profile))
                else:
                    split.append((name, batch, done))
        except TimeoutError:
            for name, batch in waiting.values():
                keep({"network": name, "batch": batch, "failure": "not prepared in time"})
        pool.shutdown(wait=False, cancel_futures=True)
        # Its onnxruntime has the processors to itself.
        for name, batch, done in split:
            attempt(name, batch, lambda: measure_split(name, batch, done.result(), options.convert))
        print("\n" + table(rows, device))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
