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
            for place in {0, flat.numel() // 2, flat.numel() - 1}:
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
    atol the same for values below 1. A result computed from more than four elements may besides be off by what n
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
    summed = 4 * (rounded + math.sqrt(terms) * wide) * largest if terms > 4 else 0.0
    return terms, UNITS[narrowest] * eps, max(UNITS[narrowest] * eps, summed)
