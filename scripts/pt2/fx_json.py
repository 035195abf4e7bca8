"""Writes torch.fx graphs as JSON with their weights in a safetensors file beside it.

The JSON is that of `serialize_module`, which PyTorch had until 1.12: nodes with op_code, target, args, kwargs, and the
type and shape of what they yield as text. `of_program` writes a program of torch.export, whose functions are ATen
operators with their arguments by name; `of_traced` writes what torch.fx.symbolic_trace sees: functions, methods and
modules of torch.nn.
"""

import json
import struct

import torch
from torch.fx.passes.shape_prop import ShapeProp

SAFETENSORS = {
    torch.bool: "BOOL", torch.uint8: "U8", torch.int8: "I8", torch.int16: "I16", torch.int32: "I32", torch.int64: "I64",
    torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32", torch.float64: "F64",
}

# What serialize_module wrote of each kind of module; others are traced through.
ATTRIBUTES = {
    torch.nn.Linear: [],
    torch.nn.Conv1d: ["kernel_size", "stride", "padding", "dilation", "groups", "padding_mode"],
    torch.nn.Conv2d: ["kernel_size", "stride", "padding", "dilation", "groups", "padding_mode"],
    torch.nn.BatchNorm2d: ["eps"],
    torch.nn.AdaptiveAvgPool2d: [],
    torch.nn.MaxPool2d: ["kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"],
    torch.nn.ReLU: ["inplace"],
}


def write_safetensors(path, tensors):
    """Tensors that share memory are written once for each name: the format knows no sharing."""
    header, blobs, at = {}, [], 0
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        blob = plain.flatten().view(torch.uint8).numpy().tobytes() if plain.numel() else b""
        header[name] = {"dtype": SAFETENSORS[plain.dtype], "shape": list(plain.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def constant(value):
    """Types, devices and formats are text; infinities too."""
    if isinstance(value, torch.fx.Node):
        return {"is_node": True, "name": value.name}
    if isinstance(value, (list, tuple)):
        return [constant(v) for v in value]
    if isinstance(value, dict):
        return {k: constant(v) for k, v in value.items()}
    if isinstance(value, slice):
        return {"slice": [constant(value.start), constant(value.stop), constant(value.step)]}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if abs(value) != float("inf") and value == value else {float("inf"): "Infinity", float("-inf"): "-Infinity"}.get(value, "NaN")
    return str(value)


def described(value):
    if isinstance(value, torch.Tensor):
        # Expressions of symbolic sizes print as infix text.
        return {"shape": "[" + ", ".join(str(d) for d in value.shape) + "]", "dtype": str(value.dtype), "stride": "[" + ", ".join(str(d) for d in value.stride()) + "]"}
    if isinstance(value, (torch.SymInt, torch.SymBool, int)):
        return {"dtype": "int", "expression": str(value)}
    if isinstance(value, (list, tuple)):
        parts = [described(v) if v is not None else {} for v in value]
        return {"shape": [p.get("shape") for p in parts], "dtype": [p.get("dtype") for p in parts], "stride": [p.get("stride") for p in parts]}
    return {}


def weight_of(tensor):
    return {"dtype": str(tensor.dtype), "shape": str(list(tensor.shape)), "is_quantized": False, "stride": str(list(tensor.stride()))}


def module_path(node):
    stack = node.meta.get("nn_module_stack") or {}
    path = list(stack.values())[-1][0] if stack else ""
    return "" if path.startswith("_empty_nn_module_stack") else path


def of_program(program, path):
    """A program of torch.export. Graphs within graphs have no place in this format."""
    signature = program.graph_signature
    held = {**signature.inputs_to_parameters, **signature.inputs_to_buffers, **signature.inputs_to_lifted_tensor_constants}
    tensors = {**program.state_dict, **program.constants}
    nodes = []
    for node in program.graph.nodes:
        if node.op == "get_attr":
            raise SystemExit(f"{path.name}: control flow has no place in torch.fx JSON; the .pt2 archive holds it")
        record = {"name": node.name, "args": [], "kwargs": {}}
        if node.op == "placeholder" and node.name in held:
            record |= {"op_code": "get_attr", "target": held[node.name]}
        elif node.op == "output":
            results = [a for a, spec in zip(node.args[0], signature.output_specs) if spec.kind.name == "USER_OUTPUT"]
            record |= {"op_code": "output", "target": "output", "args": [constant(results)]}
        else:
            record |= {"op_code": node.op, "target": target_of(node), "path": module_path(node)}
            record |= described(node.meta.get("val"))
            schema = getattr(node.target, "_schema", None)
            if schema is None:
                record |= {"args": constant(node.args), "kwargs": constant(node.kwargs)}
            else:
                named = {a.name: v for a, v in zip(schema.arguments, node.args)} | dict(node.kwargs)
                record["kwargs"] = constant(named)
        nodes.append(record)
    ranges = {
        str(s): {"min_val": int(r.lower), "max_val": int(r.upper) if r.upper < 2**31 else None}
        for s, r in program.range_constraints.items()
    }
    used = {name: tensors[name] for name in held.values()}
    document = {
        "modules": {}, "weights": {k: weight_of(v) for k, v in used.items()}, "nodes": nodes, "output_names": names_of(program),
        "torch_version": torch.__version__, "range_constraints": ranges,
    }
    write(document, used, path)


def names_of(program):
    """The results' names by the structure that the module returned: `kv.0`, or `output_1` of a tuple."""
    spec = program.module_call_graph[0].signature.out_spec
    leaves = torch.utils._pytree.tree_flatten_with_path(torch.utils._pytree.tree_unflatten(list(range(spec.num_leaves)), spec))[0]
    names = []
    for path, _ in leaves:
        keys = [str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", key)))) for key in path]
        names.append(".".join([f"output_{keys[0]}" if keys[0].isdigit() else keys[0], *keys[1:]]) if keys else "output")
    return names


def target_of(node):
    if isinstance(node.target, torch._ops.OpOverload):
        return f"torch.ops.{node.target}"
    return torch.fx.node._get_qualified_name(node.target) if callable(node.target) else str(node.target)


class Leaves(torch.fx.Tracer):
    def is_leaf_module(self, module, name):
        return type(module) in ATTRIBUTES


def of_traced(module, arguments, path):
    """A module as symbolic_trace sees it, with the sizes of the arguments."""
    graph = Leaves().trace(module)
    traced = torch.fx.GraphModule(module, graph)
    ShapeProp(traced).propagate(*arguments)
    nodes, used = [], {}
    for node in graph.nodes:
        record = {
            "op_code": node.op, "name": node.name, "target": target_of(node),
            "args": constant(node.args), "kwargs": constant(node.kwargs),
        }
        meta = node.meta.get("tensor_meta")
        if node.op != "output" and meta is not None:
            single = hasattr(meta, "shape")
            record |= {
                "shape": str(list(meta.shape)) if single else [str(list(m.shape)) for m in meta],
                "dtype": str(meta.dtype) if single else [str(m.dtype) for m in meta],
                "stride": str(list(meta.stride)) if single else [str(list(m.stride)) for m in meta],
            }
        if node.op == "get_attr":
            used[node.target] = attribute(traced, node.target)
        if node.op == "call_module":
            leaf = traced.get_submodule(node.target)
            record["parameters"] = {"name": torch.typename(leaf)} | {a: str(getattr(leaf, a)) for a in ATTRIBUTES[type(leaf)]}
            for name, tensor in [*leaf.named_parameters(), *leaf.named_buffers()]:
                if tensor.numel() and name != "num_batches_tracked":
                    used[f"{node.target}.{name}"] = tensor
        nodes.append(record)
    write({"modules": {}, "weights": {k: weight_of(v) for k, v in used.items()}, "nodes": nodes}, used, path)


def attribute(module, target):
    for name in target.split("."):
        module = getattr(module, name)
    return module


def write(document, tensors, path):
    path.with_suffix(".json").write_text(json.dumps(document, allow_nan=False) + "\n")
    write_safetensors(path.with_suffix(".safetensors"), tensors)
