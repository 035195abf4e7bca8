"""A network with an operator in its middle that no kernel takes: compiled around it, and whether that paid.

usage: python scripts/gpu/partial.py [--convert COMMAND] [--batch N]

ResNet-50 with a loop behind its middle activation. Prints what the report says of each segment, the comparison with
onnxruntime, and both times.
"""

import argparse
import os
import tempfile

import numpy as np
import onnx
import torch
import torchvision

from conversion import command_json
from networks import calibrated


def loop_in_the_middle(path):
    """Behind the middle activation a loop that halves and doubles it, which leaves its values as they are."""
    model = onnx.load(path)
    graph = model.graph
    relus = [i for i, n in enumerate(graph.node) if n.op_type == "Relu"]
    at = relus[len(relus) // 2]
    value = graph.node[at].output[0]
    for n in list(graph.node)[at + 1 :]:
        n.input[:] = ["after_loop" if i == value else i for i in n.input]
    kind = next(v for v in graph.value_info if v.name == value).type.tensor_type
    shape = [d.dim_value for d in kind.shape.dim]
    make, tensor = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    body = onnx.helper.make_graph(
        [make("Identity", ["go"], ["go_on"]), make("Mul", ["x", "half"], ["less"]), make("Div", ["less", "half"], ["y"])],
        "body",
        [tensor("i", 7, []), tensor("go", 9, []), tensor("x", 1, shape)],
        [tensor("go_on", 9, []), tensor("y", 1, shape)],
        [onnx.numpy_helper.from_array(np.float32(0.5), "half")],
    )  # fmt: skip
    graph.initializer.append(onnx.numpy_helper.from_array(np.int64(3), "times"))
    graph.node.insert(at + 1, make("Loop", ["times", "", value], ["after_loop"], name="loop", body=body))
    onnx.save(model, path)


def ait(command, *arguments):
    return command_json(command, *arguments, codes=(0, 1))


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
        loop_in_the_middle(path)
        report = ait(options.convert, path, "-o", engine, "--target", options.target)
        print("| segment | runs on | nodes | saves, µs | its borders cost, µs |\n|---|---|---|---|---|")
        for s in report["segments"]:
            worth = [f"{1e6 * s[k]:.0f}" if k in s else "" for k in ("saves", "costs")]
            print(f"| {s['name']} | {s['placement']} | {s['nodes']} | {worth[0]} | {worth[1]} |")
        for o in report["accuracy"]["outputs"]:
            print(f"{o['name']}: cosine {o['comparison']['cosine']:.6f}, pass: {o['comparison']['pass']}")
        times = ait(options.convert, "bench", engine, "--against", "onnxruntime", "--model", path)
        print(f"batch {options.batch}: engine {times['engine']['median']:.2f} ms, onnxruntime {times['onnxruntime']['median']:.2f} ms "
              f"with {times['threads']} threads: {times['ratio']:.2f} times as fast")  # fmt: skip


if __name__ == "__main__":
    main()
