"""Networks made ready for the GPU: exported by PyTorch, converted by ait-convert, and what onnxruntime computes."""

import json
import os
import shlex
import subprocess
import time

import numpy
import torch

from networks import NETWORKS, calibrated, mask_rcnn, picture


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
