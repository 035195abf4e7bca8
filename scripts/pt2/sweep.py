"""Exports one small module for each form in which an ATen operator is called, with what eager PyTorch computes.

    python scripts/pt2/sweep.py OUT

OUT/cases.json lists them; each case has a folder with model.pt2 and test_data_set_0.
"""

import itertools
import json
import pathlib
import sys
import warnings

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bounds import derived_tolerance, settled  # noqa: E402
from cases import COMPOSITE, OUTSIDE, WEIGHTED, extra_calls, modules  # noqa: E402
from data import TYPES, described, write_set  # noqa: E402

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
PER_OPERATOR = 14
PER_COMPOSITE = 7
ELEMENTS = 3000
DTYPES = (torch.float32, torch.int64, torch.bool, torch.float16, torch.float64, torch.int32, torch.bfloat16, torch.uint8, torch.int8)


def core_operators():
    for name in dir(torch.ops.aten):
        packet = getattr(torch.ops.aten, name, None)
        for overload in packet.overloads() if hasattr(packet, "overloads") else ():
            op = getattr(packet, overload)
            if torch.Tag.core in op.tags:
                yield op


def plain(t):
    return (
        t.layout == torch.strided and t.device.type == "cpu" and t.dtype in TYPES and t.numel() <= ELEMENTS and not t.is_quantized
    )


def usable(values):
    leaves = pytree.tree_leaves(values)
    return all(not isinstance(v, (torch.Generator, complex)) for v in leaves) and all(
        plain(v) for v in leaves if isinstance(v, torch.Tensor)
    )


def copied(values):
    return pytree.tree_map_only(torch.Tensor, lambda t: t.detach().clone(), values)


def features(args, kwargs):
    leaves = pytree.tree_leaves((args, kwargs))
    tensors = [v for v in leaves if isinstance(v, torch.Tensor)]
    rest = [f"{i}={v}" for i, v in enumerate(leaves) if not isinstance(v, torch.Tensor)]
    return {
        tuple(str(t.dtype) for t in tensors),
        tuple(t.dim() for t in tensors),
        ("count", len(leaves)),
        ("empty", any(t.numel() == 0 for t in tensors)),
        ("broadcast", len({tuple(t.shape) for t in tensors}) > 1),
        *rest,
        *kwargs,
    }


class Calls:
    """Calls of one operator, of which those are kept that differ most."""

    def __init__(self):
        self.kept = {}

    def add(self, args, kwargs):
        if len(self.kept) > 400 or not usable((args, kwargs)):
            return
        key = frozenset(map(str, features(args, kwargs)))
        if key not in self.kept:
            self.kept[key] = (copied(args), copied(kwargs))

    def chosen(self, count):
        """First the call that shows most that was not seen yet; of equals one whose tensors have elements."""
        left = {k: set(k) for k in self.kept}
        seen = set()
        result = []
        while left and len(result) < count:
            best = max(left, key=lambda k: (len(left[k] - seen), "('empty', True)" not in k))
            if not left[best] - seen:
                break
            seen |= left.pop(best)
            result.append(self.kept[best])
        return result + [self.kept[k] for k in list(left)[: count - len(result)]]


class Recorder(TorchDispatchMode):
    def __init__(self, calls):
        super().__init__()
        self.calls = calls

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in self.calls:
            self.calls[func].add(args, kwargs or {})
        return func(*args, **(kwargs or {}))


def samples(op, dtype, count):
    """As many samples, from all over what the operator's table has."""
    try:
        if dtype not in op.supported_dtypes("cpu"):
            return
        found = list(itertools.islice(op.sample_inputs("cpu", dtype, requires_grad=False), 400))
    except Exception:
        return
    step = max(1, len(found) // count)
    yield from found[::step][:count]


class Chosen(torch.nn.Module):
    """Of elements that are equal any may be chosen: what is compared is what the places lead to, and that none comes twice."""

    def __init__(self, function, x, axis):
        super().__init__()
        self.function, self.axis = function, axis

    def forward(self, x, *args, **kwargs):
        result = self.function(x, *args, **kwargs)
        values, places = (None, result) if isinstance(result, torch.Tensor) else result
        if places.dim() < x.dim():
            places = places.unsqueeze(self.axis)
        taken = torch.zeros(x.shape, dtype=torch.int64).scatter(self.axis, places, 1)
        found = (x.gather(self.axis, places), taken.sum(self.axis))
        return found if values is None else (values, *found)


UNSTABLE = {"topk", "topk.default", "sort", "argsort", "median", "mode"}


def comparable(operator, call):
    """The call, and whether it was replaced by one whose results do not depend on the order of equal elements."""
    function, args, kwargs = call
    x = args[0] if args else None
    if operator not in UNSTABLE or not isinstance(x, torch.Tensor) or x.dim() == 0:
        return call, False
    if kwargs.get("stable") or len(x.unique()) == x.numel():
        return call, False
    if operator == "median" and len(args) < 2 and "dim" not in kwargs:
        return call, False
    position = {"topk": 2, "topk.default": 2}.get(operator, 1)
    axis = kwargs.get("dim", args[position] if len(args) > position else -1)
    return (Chosen(function, x, axis), args, kwargs), True


def outside(program):
    """Why inference does not contain this form of an operator: it draws at random, or trains."""
    for node in program.graph.nodes:
        if node.op != "call_function" or not hasattr(node.target, "_schema"):
            continue
        given = dict(zip((a.name for a in node.target._schema.arguments), node.args)) | node.kwargs
        name = node.target._schema.name
        if name.endswith("dropout") and given.get("train") and given.get("p"):
            return True
        if given.get("dropout_p"):
            return True
        if name == "aten::batch_norm" and given.get("training") and given.get("running_mean") is not None:
            return True
    return False


def same(a, b):
    return a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all())


class Call(torch.nn.Module):
    """A call of which only the tensors are inputs."""

    def __init__(self, function, args, kwargs):
        super().__init__()
        self.function = function
        leaves, self.structure = pytree.tree_flatten((args, kwargs))
        self.rest = [None if isinstance(v, torch.Tensor) else v for v in leaves]
        self.places = [i for i, v in enumerate(leaves) if isinstance(v, torch.Tensor)]
        self.tensors = tuple(v.detach().clone() for v in leaves if isinstance(v, torch.Tensor))

    def forward(self, *tensors):
        leaves = list(self.rest)
        for i, t in zip(self.places, tensors):
            leaves[i] = t
        args, kwargs = pytree.tree_unflatten(leaves, self.structure)
        result = self.function(*args, **kwargs)
        return result if isinstance(result, torch.Tensor) else tuple(pytree.tree_leaves(result))


def results_of(value):
    return [t for t in pytree.tree_leaves(value) if isinstance(t, torch.Tensor)]


class Writer:
    def __init__(self, out):
        self.out = out
        self.cases = []
        self.counts = {}
        self.failed = {}

    def write(self, operator, family, call, dynamic=False):
        call, ties = comparable(operator, call)
        args, kwargs = call[1], call[2]
        module = Call(call[0], args, kwargs).eval()
        inputs = module.tensors
        try:
            results = results_of(module(*[t.clone() for t in inputs]))
            if not results or not all(plain(t) for t in results):
                return False
            again = results_of(module(*[t.clone() for t in inputs]))
            if not all(same(a, b) for a, b in zip(results, again)):
                return False
            fixed = operator in WEIGHTED
            auto = tuple(
                {i: torch.export.Dim.STATIC if fixed and k > 0 else torch.export.Dim.AUTO for i in range(t.dim())}
                for k, t in enumerate(inputs)
            )
            shapes = (auto,) if dynamic else None
            program = torch.export.export(module, inputs, dynamic_shapes=shapes, strict=False)
            if outside(program):
                return False
            if dynamic and not any("sym" in str(s.meta.get("val")) or "s" in "".join(str(d) for d in getattr(s.meta.get("val"), "shape", ())) for s in program.graph.nodes if s.op == "placeholder"):
                return False
        except Exception as e:
            self.failed.setdefault(operator, str(e).split("\n")[0][:160])
            return False
        number = self.counts.get(operator, 0)
        self.counts[operator] = number + 1
        name = f"{operator}/{number}"
        directory = self.out / operator / str(number)
        directory.mkdir(parents=True, exist_ok=True)
        for node in program.graph_module.graph.nodes:
            for key in ("stack_trace", "from_node", "source_fn_stack", "nn_module_stack"):
                node.meta.pop(key, None)
        try:
            torch.export.save(program, directory / "model.pt2")
        except Exception as e:
            self.failed.setdefault(operator, str(e).split("\n")[0][:160])
            return False
        terms, rtol, atol = derived_tolerance(module, inputs, results)
        results, exact = settled(module, inputs, results, rtol, atol)
        write_set(directory / "test_data_set_0", inputs, results)
        targets = sorted({str(n.target) for n in program.graph.nodes if n.op == "call_function"})
        form = ", ".join(
            [described(v) if isinstance(v, torch.Tensor) else str(v) for v in pytree.tree_leaves(args)]
            + [f"{k}={described(v) if isinstance(v, torch.Tensor) else v}" for k, v in kwargs.items()]
        )
        self.cases.append(
            dict(
                **dict(name=name, operator=operator, family=family, form=form[:200], dynamic=dynamic, ties=ties, exact=exact),
                **dict(terms=terms, rtol=rtol, atol=atol, operators=targets),
            )
        )
        return True

    def family(self, operator, family, calls):
        for call in calls:
            self.write(operator, family, call)
        wide = [
            c
            for c in calls
            if any(t.dim() > 0 and t.numel() > 1 and t.dtype == torch.float32
                for t in pytree.tree_leaves(c[1:])
                if isinstance(t, torch.Tensor)
            )
        ]
        for call in wide[:2]:
            self.write(operator, family, call, dynamic=True)


def main(out):
    from torch.testing._internal.common_methods_invocations import op_db

    torch.manual_seed(0)
    core = {op: Calls() for op in core_operators()}
    short = {op: str(op).removeprefix("aten.") for op in core}
    wanted = {op: calls for op, calls in core.items() if short[op] not in OUTSIDE}
    for op, args, kwargs in extra_calls():
        wanted[op].add(args, kwargs)
    recorder = Recorder(wanted)
    for op in op_db:
        for dtype in DTYPES:
            for s in samples(op, dtype, 30 if dtype == torch.float32 else 6):
                if not usable((s.input, s.args, s.kwargs)):
                    continue
                try:
                    with recorder:
                        op(s.input, *s.args, **s.kwargs)
                except Exception:
                    continue
    print(f"{sum(len(c.kept) for c in wanted.values())} calls", flush=True)
    writer = Writer(out)
    for op, calls in wanted.items():
        writer.family(short[op], "core", [(op, *c) for c in calls.chosen(PER_OPERATOR)])
    print(f"{len(writer.cases)} core cases", flush=True)
    by_name = {}
    for op in op_db:
        by_name.setdefault(op.name, []).append(op)
    for name in COMPOSITE:
        if name not in by_name:
            print("unknown", name)
        for op in by_name.get(name, ()):
            calls = Calls()
            for dtype in (torch.float32, torch.int64, torch.float16):
                for s in samples(op, dtype, 40 if dtype == torch.float32 else 5):
                    calls.add((s.input, *s.args), s.kwargs)
            label = name if op.variant_test_name == "" else f"{name}-{op.variant_test_name}"
            writer.family(label, "composite", [(op, *c) for c in calls.chosen(PER_COMPOSITE)])
    for label, calls in modules():
        writer.family(label, "composite", [(module, args, {}) for module, args in calls])
    print(f"{len(writer.cases)} cases", flush=True)
    listing = dict(
        torch=torch.__version__,
        core=sorted(short.values()),
        outside=OUTSIDE,
        not_exported=writer.failed,
        cases=writer.cases,
    )
    (out / "cases.json").write_text(json.dumps(listing, indent=1))


main(pathlib.Path(sys.argv[1]))
