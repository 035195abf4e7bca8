"""Tensors as the protocol buffers that the test runner reads."""

import torch

TYPES = {
    torch.float32: 1,
    torch.uint8: 2,
    torch.int8: 3,
    torch.uint16: 4,
    torch.int16: 5,
    torch.int32: 6,
    torch.int64: 7,
    torch.bool: 9,
    torch.float16: 10,
    torch.float64: 11,
    torch.uint32: 12,
    torch.uint64: 13,
    torch.bfloat16: 16,
}
SHORT = {1: "f32", 2: "u8", 3: "i8", 4: "u16", 5: "i16", 6: "i32", 7: "i64", 9: "bool", 10: "f16", 11: "f64", 12: "u32", 13: "u64", 16: "bf16"}


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def tensor_bytes(t):
    raw = t.detach().clone(memory_format=torch.contiguous_format).reshape(-1).view(torch.uint8).numpy().tobytes() if t.numel() else b""
    dims = b"".join(b"\x08" + varint(d) for d in t.shape)
    return dims + b"\x10" + varint(TYPES[t.dtype]) + b"\x4a" + varint(len(raw)) + raw


def write_set(directory, inputs, outputs):
    directory.mkdir(parents=True, exist_ok=True)
    for kind, values in (("input", inputs), ("output", outputs)):
        for i, t in enumerate(values):
            (directory / f"{kind}_{i}.pb").write_bytes(tensor_bytes(t))


def described(t):
    return f"{SHORT[TYPES[t.dtype]]}[{','.join(map(str, t.shape))}]"


# What torch itself takes as equal, relative and absolute.
CLOSE = {
    torch.float16: (1e-3, 1e-5),
    torch.bfloat16: (1.6e-2, 1e-5),
    torch.float32: (1.3e-6, 1e-5),
    torch.float64: (1e-7, 1e-7),
}


def rounding(results, exact):
    """The largest error that eager PyTorch itself makes."""
    worst = 0.0
    for r, e in zip(results, exact):
        if not r.dtype.is_floating_point or r.shape != e.shape or r.numel() == 0:
            continue
        d = (r.double() - e.double()).abs()
        d = d[torch.isfinite(d)]
        if d.numel():
            worst = max(worst, d.max().item())
    return worst


def bounds(tensors, results):
    used = [CLOSE[t.dtype] for t in [*tensors, *results] if t.dtype in CLOSE]
    return max(used, default=(0.0, 0.0))


def tolerance(tensors, results, exact):
    """Torch's own bounds for the narrowest type involved, and four times eager's rounding error."""
    rtol, atol = bounds(tensors, results)
    return rtol, atol + 4 * rounding(results, exact)


def scaled_tolerance(tensors, results):
    """Torch's own bounds for the narrowest type involved, and four units in the last place of the largest result."""
    rtol, atol = bounds(tensors, results)
    kinds = [t.dtype for t in [*tensors, *results] if t.dtype in CLOSE]
    unit = max((torch.finfo(k).eps for k in kinds), default=0.0)
    sizes = [t.double().abs()[torch.isfinite(t)].max().item() for t in results if t.dtype.is_floating_point and torch.isfinite(t).any()]
    return rtol, max(atol, 4 * unit * max(sizes, default=0.0))
