"""Exports the modules of a Python file to .pt2 archives, with what eager PyTorch computes for them.

    python scripts/export-pt2.py fixtures/pt2/modules.py OUT [NAME ...] [WORD ...]

The file has a table CASES: name -> (module class, arguments, dynamic shapes as torch.export.export takes them). For
each case NAME.pt2 and NAME.jsonl are written. Words ask for more:

    outputs     the archive holds what PyTorch computed, for "ait-convert diff" to compare with
    decomposed  NAME.core.pt2, the program after decomposition into core ATen
    fx          NAME.json and NAME.safetensors: the program as a torch.fx graph, with dynamic sizes, and its weights
    traced      the same, but of the graph that torch.fx.symbolic_trace sees: functions, methods and modules of Python
"""

import base64
import importlib.util
import json
import math
import pathlib
import sys

import torch
from torch.export import export, save

sys.path.append(str(pathlib.Path(__file__).parent / "pt2"))
import fx_json  # noqa: E402


def load(path):
    spec = importlib.util.spec_from_file_location("modules", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["modules"] = module
    spec.loader.exec_module(module)
    return module


def forget_places(program):
    """Stack traces name places on this machine and make archives large."""
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                for key in ("stack_trace", "from_node", "source_fn_stack"):
                    node.meta.pop(key, None)


def described(value):
    if isinstance(value, torch.Tensor):
        data = value.detach().to(torch.float64 if value.dtype.is_floating_point else value.dtype).flatten().tolist()
        text = [x if not isinstance(x, float) or math.isfinite(x) else str(x) for x in data]
        # Beyond 2^53 a JSON number is not exact.
        text = [str(x) if isinstance(x, int) and abs(x) > 2**53 else x for x in text]
        return {"dtype": str(value.dtype).removeprefix("torch."), "shape": list(value.shape), "data": text}
    return {"literal": value}


def recording(results):
    """Tensors as their bytes; other results have no place in an engine."""
    entries = []
    for x in torch.utils._pytree.tree_leaves(results, is_leaf=lambda x: x is None):
        if not isinstance(x, torch.Tensor):
            entries.append(None)
            continue
        plain = x.detach().cpu().contiguous()
        blob = plain.flatten().view(torch.uint8).numpy().tobytes() if plain.numel() else b""
        entries.append({"dtype": str(plain.dtype), "shape": list(plain.shape), "data": base64.b64encode(blob).decode()})
    return json.dumps(entries)


def write(out, name, program, arguments, results, recorded=False):
    forget_places(program)
    save(program, out / f"{name}.pt2", extra_files={"sample_outputs.json": recording(results)} if recorded else {})
    write_record(out, name, arguments, results)


def write_record(out, name, arguments, results):
    leaves = torch.utils._pytree.tree_leaves
    record = {
        "inputs": [described(x) for x in leaves(arguments)],
        "outputs": [described(x) for x in torch.utils._pytree.tree_leaves(results, is_leaf=lambda x: x is None)],
    }
    (out / f"{name}.jsonl").write_text(json.dumps(record) + "\n")


def main():
    source, out, *names = sys.argv[1:]
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    words = {w for w in names if w in ("outputs", "decomposed", "fx", "traced")}
    names = [n for n in names if n not in words]
    for name, (make, arguments, dynamic) in load(source).CASES.items():
        if names and name not in names:
            continue
        torch.manual_seed(0)
        module = make().eval()
        with torch.no_grad():
            copies = [a.clone() if isinstance(a, torch.Tensor) else a for a in arguments]
            program = export(module, tuple(copies), dynamic_shapes=dynamic)
            results = make_results(make, arguments)
            if "traced" in words:
                torch.manual_seed(0)
                fx_json.of_traced(make().eval(), arguments, out / name)
                write_record(out, name, arguments, results)
                print(name, flush=True)
                continue
            write(out, name, program, arguments, results, "outputs" in words)
            if "fx" in words:
                fx_json.of_program(program, out / name)
            if "decomposed" in words:
                write(out, f"{name}.core", program.run_decompositions(), arguments, results)
        print(name, flush=True)


def make_results(make, arguments):
    torch.manual_seed(0)
    return make().eval()(*[a.clone() if isinstance(a, torch.Tensor) else a for a in arguments])


main()
