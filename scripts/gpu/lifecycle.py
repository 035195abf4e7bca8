"""An engine is opened, runs and is closed, on the GPU it is for and where it cannot: what it says, and what it keeps.

usage: python scripts/gpu/lifecycle.py [--convert COMMAND]

A product with 128 MiB of weights. Each failure has to be one sentence, from the library and from the command with
exit code 3, and the GPU has to have the memory afterwards that it had before.
"""

import argparse
import os
import shlex
import subprocess
import tempfile

import numpy as np
import onnx
import torch

from conversion import convert
from engine import Engine

SIZE = 8192
ROUNDS = 50


def product(path):
    tensor = onnx.helper.make_tensor_value_info
    weights = np.random.default_rng(0).standard_normal((SIZE, SIZE)).astype(np.float32) / SIZE**0.5
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["p"]), onnx.helper.make_node("Tanh", ["p"], ["y"])],
        "product",
        [tensor("x", 1, ["N", SIZE])],
        [tensor("y", 1, ["N", SIZE])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)]), path)
    return torch.from_numpy(weights)


def free():
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    return torch.cuda.mem_get_info()[0]


def hold_all_but(bytes_left):
    """The GPU's memory, in ever smaller pieces."""
    held, piece = [], 1 << 32
    while piece >= 1 << 20:
        if free() - bytes_left > piece:
            try:
                held.append(torch.empty(piece, dtype=torch.uint8, device="cuda"))
                continue
            except torch.OutOfMemoryError:
                pass
        piece //= 2
    return held


def attempt(directory, given, result):
    """What the library says when it cannot run."""
    try:
        engine = Engine(directory)
    except RuntimeError as e:
        return f"opening: {e}"
    try:
        engine.launch(engine.prepare([given], [result]))
        torch.cuda.synchronize()
    except RuntimeError as e:
        return f"running: {e}"
    finally:
        engine.close()
    return "no failure"


def command(convert_command, directory, environment=None):
    done = subprocess.run(
        [*shlex.split(convert_command), "run", directory, "--dim", "N=4"],
        capture_output=True, text=True, env={**os.environ, **(environment or {})},
    )  # fmt: skip
    return done.returncode, (done.stderr.strip().splitlines() or [""])[0]


def opened_and_closed(directory, weights):
    """Right results in each round, and the memory of the first round's end at the last one's."""
    x = torch.randn(64, SIZE, device="cuda")
    expected = torch.tanh(x @ weights.cuda())
    after = []
    for _ in range(ROUNDS):
        engine = Engine(directory)
        (got,) = engine.run([x], [torch.float32])
        worst = float((got - expected).abs().max())
        engine.close()
        del got
        if worst > 0.01:
            raise SystemExit(f"wrong after reopening: {worst}")
        after.append(free())
    return after[0] - after[-1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--convert", default="npx ait-convert")
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    arch = "sm_%d%da" % torch.cuda.get_device_capability()
    failed = False

    def says(title, said, kept, code=3):
        nonlocal failed
        failed |= code != 3 or kept != 0 or said == "no failure"
        print(f"{title}: exit code {code}, {kept} bytes kept: {said}", flush=True)

    with tempfile.TemporaryDirectory() as work:
        model, engine, other = (os.path.join(work, n) for n in ("model.onnx", "engine", "other"))
        weights = product(model)
        convert(options.convert, model, engine, ["--arch", arch])
        convert(options.convert, model, other, ["--arch", "sm_80"])
        torch.zeros(1, device="cuda")
        lost = opened_and_closed(engine, weights)
        failed |= lost != 0
        print(f"opened, run and closed {ROUNDS} times: {lost} bytes kept", flush=True)
        for title, directory, environment in (
            ("wrong arch", other, {}),
            ("no GPU", engine, {"CUDA_VISIBLE_DEVICES": ""}),
        ):
            before = free()
            code, said = command(options.convert, directory, environment)
            says(f"{title}, by the command", said, before - free(), code)
        x = torch.zeros(1 << 14, SIZE, device="cuda")
        y = torch.empty_like(x)
        before = free()
        says("wrong arch", attempt(other, x, y), before - free())
        # 16,384 rows in 16 bits are 256 MiB, beside the weights.
        for title, left in (("too little memory for weights", 64), ("too little memory for a run", 256)):
            held = hold_all_but(left << 20)
            before = free()
            said = attempt(engine, x, y)
            says(title, said, before - free())
            if left == 64:
                code, said = command(options.convert, engine)
                says(f"{title}, by the command", said, before - free(), code)
            del held
            free()
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
