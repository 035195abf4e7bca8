"""Prints the bytes of activations that onnxruntime allocates for a model, as JSON.

Reads {"model": path, "inputs": {...}} from standard input, the inputs as fixtures/zoo.json gives them.
The memory arena is told to ask the system for exactly what it needs and to log every request:
    first    all requests of the first run, which allocates tensor by tensor and reuses what was freed
    planned  the largest request of the second run: the block that its plan for these shapes puts all tensors in,
             null where there is no such request
"""

import json
import os
import re
import sys
import tempfile

import numpy as np
import onnxruntime as ort


def filled(spec: dict) -> np.ndarray:
    dtype = np.dtype(spec["dtype"])
    if "value" in spec:
        return np.broadcast_to(np.array(spec["value"], dtype), spec["shape"]).copy()
    random = np.random.default_rng(7)
    if dtype.kind == "f":
        return random.uniform(spec["low"], spec["high"], spec["shape"]).astype(dtype)
    return random.integers(spec["low"], spec["high"], spec["shape"]).astype(dtype)


def measured(model: str, inputs: dict, log: int) -> dict:
    feeds = {name: filled(spec) for name, spec in inputs.items()}
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 0
    options.add_session_config_entry("session.use_env_allocators", "1")
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    requests = []
    for _ in range(2):
        start = os.lseek(log, 0, os.SEEK_END)
        session.run(None, feeds)
        text = os.pread(log, os.lseek(log, 0, os.SEEK_END) - start, start)
        found = re.findall(rb"Extended allocation by (\d+) bytes", text)
        requests.append([int(size) for size in found])
    return {"first": sum(requests[0]), "planned": max(requests[1], default=None)}


def main() -> None:
    ort.set_default_logger_severity(0)
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg(0, 1, -1, -1))
    request = json.load(sys.stdin)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        print(json.dumps(measured(request["model"], request["inputs"], log.fileno())))


if __name__ == "__main__":
    main()
