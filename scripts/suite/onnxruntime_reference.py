"""Runs every case of the generated suites on onnxruntime's CPU provider and writes down what it can do.

onnxruntime_reference.py SUITE_DIRECTORY RESULT.json

Each case is run as generated. A case that fails is run again with its opset and IR lowered to the newest that
onnxruntime implements, and then under every other opset, newest first, until it passes; always only where the
model is valid under that opset. A case that ends the process costs only itself.
"""

import ctypes
import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import AttributeProto, ModelProto, TensorProto, numpy_helper

NEWEST_OPSET = 26
OLDEST_OPSET = 7
NEWEST_IR = 13
BFLOAT16_RTOL = 2**-6

Session = onnxruntime.InferenceSession


def load_value(path: Path, declared: onnx.TypeProto) -> Any:
    """Tensors stay protos (numpy cannot hold all of them), sequences and optionals become Python values."""
    content = path.read_bytes()
    if declared.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(content))
    if declared.HasField("optional_type"):
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(content))
    return TensorProto.FromString(content)


def is_native(dtype: np.dtype) -> bool:
    """Whether the dtype is numpy's own, not one that a package adds to it."""
    return dtype.type.__module__ == "numpy"


def to_ort_value(tensor: TensorProto) -> onnxruntime.OrtValue:
    array = numpy_helper.to_array(tensor)
    if is_native(array.dtype):
        return onnxruntime.OrtValue.ortvalue_from_numpy(array)
    copy = numpy_helper.from_array(array)
    value = onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(array.shape), tensor.data_type)
    if copy.raw_data:
        ctypes.memmove(value.data_ptr(), copy.raw_data, len(copy.raw_data))
    return value


def from_ort_value(value: onnxruntime.OrtValue) -> Any:
    name = value.data_type().removeprefix("tensor(").removesuffix(")")
    names = {"float": "FLOAT", "double": "DOUBLE", "bfloat16": "BFLOAT16"}
    element = TensorProto.DataType.Value(names.get(name, name.upper()))
    if is_native(onnx.helper.tensor_dtype_to_np_dtype(element)):
        return value.numpy()
    proto = TensorProto(dims=value.shape(), data_type=element)
    proto.raw_data = ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes())
    return numpy_helper.to_array(proto)


def plain(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else value


def run(session: Session, feeds: dict[str, Any]) -> list[Any]:
    """OrtValues carry every element type but strings, and tensors only; numpy arrays carry the rest."""
    types = [value.type for value in [*session.get_inputs(), *session.get_outputs()]]
    if all(name.startswith("tensor(") and name != "tensor(string)" for name in types):
        values = {name: to_ort_value(value) for name, value in feeds.items()}
        return [from_ort_value(value) for value in session.run_with_ort_values(None, values)]
    return session.run(None, {name: plain(value) for name, value in feeds.items()})


def compare(actual: Any, expected: Any, rtol: float, atol: float) -> None:
    if isinstance(expected, list):
        if not isinstance(actual, (list, tuple)) or len(actual) != len(expected):
            raise AssertionError(f"expected a sequence of {len(expected)}")
        for one, other in zip(actual, expected, strict=True):
            compare(one, other, rtol, atol)
        return
    if expected is None:
        if actual is not None:
            raise AssertionError("expected an empty optional")
        return
    actual, expected = np.asarray(actual), np.asarray(expected)
    if actual.shape != expected.shape:
        raise AssertionError(f"shape {actual.shape}, expected {expected.shape}")
    if actual.dtype != expected.dtype and not {actual.dtype.kind, expected.dtype.kind} <= set("OUS"):
        raise AssertionError(f"dtype {actual.dtype}, expected {expected.dtype}")
    if expected.dtype.kind in "OUS":
        np.testing.assert_array_equal(actual.astype(str), expected.astype(str))
        return
    if not is_native(expected.dtype):
        if expected.dtype.name == "bfloat16":
            rtol = max(rtol, BFLOAT16_RTOL)
        actual, expected = actual.astype(np.float32), expected.astype(np.float32)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


def reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, AssertionError):
        wanted = ("Max absolute", "Max relative", "Mismatched", "nan", "x and y")
        lines = [line for line in lines if line.startswith(wanted)] or lines
    return "; ".join(lines[:3])[:300] or type(error).__name__


def attempt(model: ModelProto, case: dict[str, Any], directory: Path) -> dict[str, Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = Session(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        return {"passes": False, "stage": "load", "reason": reason(error)}
    stage = "run"
    try:
        for index in range(case["dataSets"]):
            stage = "run"
            data = directory / f"test_data_set_{index}"
            types = {value.name: value.type for value in [*model.graph.input, *model.graph.output]}
            feeds = {
                value["name"]: load_value(data / f"input_{i}.pb", types[value["name"]])
                for i, value in enumerate(case["inputs"])
            }
            actual = run(session, feeds)
            stage = "compare"
            for i, value in enumerate(case["outputs"]):
                expected = plain(load_value(data / f"output_{i}.pb", types[value["name"]]))
                compare(actual[i], expected, case["rtol"], case["atol"])
    except Exception as error:
        return {"passes": False, "stage": stage, "reason": reason(error)}
    return {"passes": True}


def every_node(nodes: Any) -> Any:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from every_node(attribute.g.node)


def standard_opset(model: ModelProto) -> Any:
    return next((entry for entry in model.opset_import if entry.domain in ("", "ai.onnx")), None)


def same_operators(model: ModelProto, one: int, other: int) -> bool:
    """Whether every operator of the model has the same definition in both opsets."""
    bodies = [model.graph, *model.functions]
    names = {
        node.op_type
        for body in bodies
        for node in every_node(body.node)
        if node.domain in ("", "ai.onnx")
    }
    try:
        return all(
            onnx.defs.get_schema(name, one, "").since_version == onnx.defs.get_schema(name, other, "").since_version
            for name in names
        )
    except onnx.defs.SchemaError:
        return False


def under_opset(model: ModelProto, opset: int) -> ModelProto | None:
    """The model with another version of the standard operators, if it is valid with them."""
    copy = ModelProto()
    copy.CopyFrom(model)
    entry = standard_opset(copy)
    if entry is not None:
        entry.version = opset
    copy.ir_version = min(copy.ir_version, NEWEST_IR)
    if copy == model:
        return None
    try:
        onnx.checker.check_model(copy, full_check=True)
    except Exception:
        return None
    return copy


def examine(root: Path, case: dict[str, Any]) -> dict[str, Any]:
    directory = root / case["suite"] / case["name"]
    model = onnx.load(directory / "model.onnx")
    result: dict[str, Any] = {"generated": attempt(model, case, directory)}
    if result["generated"]["passes"]:
        return result
    entry = standard_opset(model)
    original = entry.version if entry is not None else 0
    newest = min(original, NEWEST_OPSET)
    others = range(NEWEST_OPSET, OLDEST_OPSET - 1, -1) if original else ()
    for opset in [newest, *(version for version in others if version not in (newest, original))]:
        other = under_opset(model, opset)
        if other is None:
            continue
        outcome = attempt(other, case, directory)
        kept = original == opset or same_operators(model, original, opset)
        described = {"opset": opset, "sameOperators": kept, **outcome}
        if opset == newest:
            result["lowered"] = described
        elif outcome["passes"]:
            result["restamped"] = described
        if outcome["passes"]:
            break
    return result


def work(root: Path, start: int) -> None:
    warnings.filterwarnings("ignore")
    cases = json.loads((root / "cases.json").read_text())["cases"]
    for index in range(start, len(cases)):
        print(json.dumps(examine(root, cases[index])), flush=True)


def supervise(root: Path, target: Path) -> None:
    cases = json.loads((root / "cases.json").read_text())["cases"]
    results: list[dict[str, Any]] = []
    while len(results) < len(cases):
        command = [sys.executable, __file__, "--from", str(len(results)), str(root)]
        worker = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        results.extend(json.loads(line) for line in worker.stdout.splitlines() if line.endswith("}"))
        if worker.returncode > 0:
            sys.exit(f"the worker failed at {cases[len(results)]['name']}")
        if len(results) < len(cases):
            crash = {"passes": False, "stage": "run", "reason": f"the process ended with {worker.returncode}"}
            results.append({"generated": crash})
    named = {f"{case['suite']}/{case['name']}": result for case, result in zip(cases, results, strict=True)}
    listing = {"onnxruntime": onnxruntime.__version__, "opset": NEWEST_OPSET, "ir": NEWEST_IR, "cases": named}
    target.write_text(json.dumps(listing, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "--from":
        work(Path(sys.argv[3]), int(sys.argv[2]))
    else:
        supervise(Path(sys.argv[1]), Path(sys.argv[2]))
