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
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, TimeoutError, as_completed

import torch

from conversion import prepare
from measuring import measure, measure_split
from model_table import line, split_text, table
from networks import NETWORKS, SLOWEST


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
