"""How far a result may be from what eager PyTorch computes."""

import math

import torch

# Units in the last place of the value itself: half precision is rounded once, wider types compute functions.
UNITS = {torch.float16: 2, torch.bfloat16: 2, torch.float32: 16, torch.float64: 16}


def float_types(tensors):
    return [t.dtype for t in tensors if t.dtype in UNITS]


def terms_of(module, inputs, results):
    """How many elements of the inputs one element of the results is computed from: those its gradient reaches."""
    leaves = [t.detach().clone().requires_grad_(t.dtype in UNITS) for t in inputs]
    if not any(t.requires_grad for t in leaves):
        return 1
    most = 1
    try:
        with torch.enable_grad():
            outputs = module(*leaves)
        outputs = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
        for y in outputs:
            if not isinstance(y, torch.Tensor) or not y.requires_grad or y.numel() == 0:
                continue
            flat = y.reshape(-1)
            step = max(1, flat.numel() // 32)
            for place in range(0, flat.numel(), step):
                found = torch.autograd.grad(
                    flat[place], [t for t in leaves if t.requires_grad], retain_graph=True, allow_unused=True
                )
                most = max(most, sum(int((g != 0).sum()) for g in found if g is not None))
    except Exception:
        given = sum(t.numel() for t in inputs if t.dtype in UNITS)
        most = max(1, -(-given // max(1, sum(t.numel() for t in results))))
    return most


def derived_tolerance(module, inputs, results):
    """
    |mine - eager's| may be rtol |eager's| + atol, where rtol is some units of the narrowest floating type involved, and
    atol the same for values below 1. A result computed from n > 1 elements may besides be off by what n
    roundings in a random walk add up to, 4 sqrt(n) units of the largest result; half precision is summed in single
    precision, and rounded four times at most.
    """
    kinds = float_types([*inputs, *results])
    if not kinds:
        return 1, 0.0, 0.0
    narrowest = max(kinds, key=lambda k: torch.finfo(k).eps)
    eps = torch.finfo(narrowest).eps
    terms = terms_of(module, inputs, results)
    finite = [t.double().abs()[torch.isfinite(t)] for t in results if t.dtype.is_floating_point]
    largest = max((t.max().item() for t in finite if t.numel()), default=0.0)
    wide = min(eps, torch.finfo(torch.float32).eps)
    rounded = 0.0 if wide == eps else eps
    summed = 4 * (rounded + math.sqrt(terms) * wide) * largest if terms > 1 else 0.0
    return terms, UNITS[narrowest] * eps, max(UNITS[narrowest] * eps, summed)


def in_double(module, inputs):
    """The results computed from the same inputs in double precision, or None where that is another operator."""
    wide = [t.double() if t.dtype in UNITS else t for t in inputs]
    try:
        with torch.no_grad():
            outputs = module(*wide)
    except Exception:
        return None
    return [outputs] if isinstance(outputs, torch.Tensor) else [t for t in outputs if isinstance(t, torch.Tensor)]


def within(results, expected, rtol, atol):
    return all(
        torch.allclose(mine.double(), theirs.double(), rtol=rtol, atol=atol, equal_nan=True)
        for mine, theirs in zip(results, expected)
    )


def settled(module, inputs, results, rtol, atol):
    """
    What is expected: eager's results, unless eager in half precision is itself further than the bounds from what it
    computes of the same inputs in double precision. Then that is, rounded once.
    """
    if not any(t.dtype in (torch.float16, torch.bfloat16) for t in results):
        return results, False
    exact = in_double(module, inputs)
    if exact is None or [t.shape for t in exact] != [t.shape for t in results]:
        return results, False
    rounded = [e.to(r.dtype) for e, r in zip(exact, results)]
    return (results, False) if within(results, rounded, rtol, atol) else (rounded, True)
