"""A network with an operator in its middle that no kernel takes: compiled around it, and whether that paid.

usage: python scripts/gpu/partial.py [--convert COMMAND] [--batch N]

ResNet-50 with its activations split into a sequence of tensors and joined again behind the second stage. Prints what
the report says of each segment, the comparison with onnxruntime, and both times.
"""

import argparse
import json
import os
import shlex
import subprocess
import tempfile

import onnx
import torch
import torchvision

from networks import calibrated


def split_in_the_middle(path, split):
    """A sequence of halves and back, before the first node of the third stage."""
    model = onnx.load(path)
    graph = model.graph
    adds = [i for i, n in enumerate(graph.node) if n.op_type == "Relu"]
    at = adds[len(adds) // 2]
    value = graph.node[at].output[0]
    for n in list(graph.node)[at + 1 :]:
        n.input[:] = ["joined" if i == value else i for i in n.input]
    graph.initializer.append(onnx.numpy_helper.from_array(torch.tensor(split).numpy(), "halves"))
    new = [
        onnx.helper.make_node("SplitToSequence", [value, "halves"], ["parts"], name="split", axis=1),
        onnx.helper.make_node("ConcatFromSequence", ["parts"], ["joined"], name="join", axis=1),
    ]
    for n in reversed(new):
        graph.node.insert(at + 1, n)
    onnx.save(model, path)


def ait(command, *arguments):
    done = subprocess.run([*shlex.split(command), *arguments, "--json"], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--convert", default="npx ait-convert")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--target", default="cuda")
    options = parser.parse_args()
    torch.manual_seed(0)
    inputs = (torch.randn(options.batch, 3, 224, 224),)
    model = calibrated(torchvision.models.resnet50(weights=None), inputs)
    with tempfile.TemporaryDirectory() as work:
        path, engine = os.path.join(work, "model.onnx"), os.path.join(work, "engine")
        torch.onnx.export(model, inputs, path, opset_version=18, dynamo=True, external_data=False, verbose=False)
        split_in_the_middle(path, 256)
        report = ait(options.convert, path, "-o", engine, "--target", options.target)
        print("| segment | runs on | nodes | saves, µs | its borders cost, µs |\n|---|---|---|---|---|")
        for i, s in enumerate(report["segments"]):
            worth = [f"{1e6 * s[k]:.0f}" if k in s else "" for k in ("saves", "costs")]
            print(f"| {i} | {s['kind']} | {s['nodes']} | {worth[0]} | {worth[1]} |")
        for a in report.get("accuracy", []):
            print(f"{a['output']}: cosine {a['cosine']:.6f}, {'pass' if a['pass'] else 'FAIL'}")
        times = ait(options.convert, "bench", engine, "--against", "onnxruntime", "--model", path)
        print(f"batch {options.batch}: engine {times['engine']['median']:.2f} ms, onnxruntime {times['onnxruntime']['median']:.2f} ms "
              f"with {times['threads']} threads: {times['ratio']:.2f} times as fast")  # fmt: skip


if __name__ == "__main__":
    main()
