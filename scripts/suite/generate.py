"""Writes the ONNX backend test suites that the installed onnx package carries, as files.

generate.py DIRECTORY fills an empty directory:
    cases.json                              what each case holds, sorted by suite and name
    SUITE/CASE/model.onnx
    SUITE/CASE/test_data_set_N/input_I.pb   in the order of the case's `inputs`
    SUITE/CASE/test_data_set_N/output_I.pb  in the order of the case's `outputs`
"""

import json
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TypeProto, ValueInfoProto
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests, load_node_model_tests
from onnx.backend.test.runner import Runner

STORED_SUITES = ("simple", "pytorch-converted", "pytorch-operator")
DTYPES = {"FLOAT": "float32", "DOUBLE": "float64"}


def dtype_name(element_type: int) -> str:
    name = onnx.TensorProto.DataType.Name(element_type)
    return DTYPES.get(name, name.lower())


def describe_type(declared: TypeProto) -> dict[str, Any]:
    """A tensor's dtype and dims (null where only known at run time), or the nesting around it."""
    kind = declared.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        tensor = getattr(declared, kind)
        described: dict[str, Any] = {"kind": kind.removesuffix("_type"), "dtype": dtype_name(tensor.elem_type)}
        if tensor.HasField("shape"):
            described["shape"] = [
                dim.dim_value if dim.HasField("dim_value") else (dim.dim_param or None)
                for dim in tensor.shape.dim
            ]
        return described
    if kind in ("sequence_type", "optional_type"):
        return {"kind": kind.removesuffix("_type"), "of": describe_type(getattr(declared, kind).elem_type)}
    return {"kind": (kind or "unknown").removesuffix("_type")}


def every_node(nodes: Any) -> Iterator[NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from every_node(attribute.g.node)
            for graph in attribute.graphs:
                yield from every_node(graph.node)


def operators(model: ModelProto) -> list[str]:
    """Every operator in the model, bodies and functions included; `domain::Name` outside the standard one."""
    bodies: list[GraphProto | FunctionProto] = [model.graph, *model.functions]
    names = {
        f"{node.domain}::{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
        for body in bodies
        for node in every_node(body.node)
    }
    return sorted(names)


def fed_inputs(graph: GraphProto, count: int | None = None) -> list[ValueInfoProto]:
    """Stored cases list their data by position in the graph's inputs; light models leave initialisers out."""
    if count is not None:
        return list(graph.input)[:count]
    constants = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in constants]


def described_case(suite: str, case: Any, model: ModelProto, inputs: list[ValueInfoProto], sets: int) -> dict[str, Any]:
    return {
        "suite": suite,
        "name": case.name,
        "rtol": case.rtol,
        "atol": case.atol,
        "irVersion": model.ir_version,
        "opsets": {entry.domain: entry.version for entry in model.opset_import},
        "operators": operators(model),
        "functions": len(model.functions),
        "inputs": [{"name": value.name, **describe_type(value.type)} for value in inputs],
        "outputs": [{"name": value.name, **describe_type(value.type)} for value in model.graph.output],
        "dataSets": sets,
    }


def encode(value: Any, declared: ValueInfoProto) -> bytes:
    kind = declared.type.WhichOneof("value")
    if isinstance(value, onnx.TensorProto):
        proto = onnx.TensorProto()
        proto.CopyFrom(value)
        proto.name = declared.name
    elif kind == "sequence_type":
        proto = numpy_helper.from_list(value, declared.name)
    elif kind == "optional_type":
        proto = numpy_helper.from_optional(value, declared.name)
    else:
        proto = numpy_helper.from_array(np.asarray(value), declared.name)
    return proto.SerializeToString(deterministic=True)


def write_data_set(directory: Path, inputs: list[bytes], outputs: list[bytes]) -> None:
    directory.mkdir(parents=True)
    for index, content in enumerate(inputs):
        (directory / f"input_{index}.pb").write_bytes(content)
    for index, content in enumerate(outputs):
        (directory / f"output_{index}.pb").write_bytes(content)


def write_node_suite(root: Path) -> Iterator[dict[str, Any]]:
    for case in load_node_model_tests():
        graph = case.model.graph
        directory = root / "node" / case.name
        for index, (inputs, outputs) in enumerate(case.data_sets):
            write_data_set(
                directory / f"test_data_set_{index}",
                [encode(value, declared) for value, declared in zip(inputs, graph.input, strict=True)],
                [encode(value, declared) for value, declared in zip(outputs, graph.output, strict=True)],
            )
        (directory / "model.onnx").write_bytes(case.model.SerializeToString(deterministic=True))
        yield described_case("node", case, case.model, list(graph.input), len(case.data_sets))


def copy_stored_suite(root: Path, suite: str) -> Iterator[dict[str, Any]]:
    for case in load_model_tests(kind=suite):
        source = Path(case.model_dir)
        directory = root / suite / case.name
        sets = sorted(source.glob("test_data_set_*"))
        for data in sets:
            shutil.copytree(data, directory / data.name)
        shutil.copy(source / "model.onnx", directory / "model.onnx")
        model = onnx.load(source / "model.onnx")
        count = len(list(sets[0].glob("input_*.pb"))) if sets else 0
        yield described_case(suite, case, model, fed_inputs(model.graph, count), len(sets))


def write_light_suite(root: Path) -> Iterator[dict[str, Any]]:
    """Light models are real architectures with constant weights: inputs are made as the suite's runner makes them."""
    package = Path(onnx.__file__).parent
    for case in load_model_tests(kind="real"):
        source = package.parent / case.url
        model = onnx.load(source)
        inputs = fed_inputs(model.graph)
        directory = root / "light" / case.name
        expected = [source.with_name(f"{source.stem}_output_{i}.pb") for i in range(len(model.graph.output))]
        write_data_set(
            directory / "test_data_set_0",
            [encode(Runner.generate_dummy_data(value, name=case.name), value) for value in inputs],
            [path.read_bytes() for path in expected],
        )
        shutil.copy(source, directory / "model.onnx")
        yield described_case("light", case, model, inputs, 1)


def main(root: Path) -> None:
    warnings.filterwarnings("ignore")
    root.mkdir(parents=True, exist_ok=True)
    cases = list(write_node_suite(root))
    for suite in STORED_SUITES:
        cases.extend(copy_stored_suite(root, suite))
    cases.extend(write_light_suite(root))
    cases.sort(key=lambda case: (case["suite"], case["name"]))
    listing = {"onnx": onnx.__version__, "cases": cases}
    (root / "cases.json").write_text(json.dumps(listing, indent=1) + "\n")
    print(f"{len(cases)} cases written")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
