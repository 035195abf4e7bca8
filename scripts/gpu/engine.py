"""A compiled engine from Python: its C interface through ctypes, tensors of PyTorch passed by address."""

import ctypes as c
import json
import os

import torch

CUDA, CPU = 2, 1
TYPES = {
    torch.float32: (2, 32), torch.float16: (2, 16), torch.bfloat16: (4, 16), torch.float64: (2, 64),
    torch.int64: (0, 64), torch.int32: (0, 32), torch.int16: (0, 16), torch.int8: (0, 8),
    torch.uint8: (1, 8), torch.bool: (6, 8),
}  # fmt: skip
OF_CODE = {v: k for k, v in TYPES.items()}


class Device(c.Structure):
    _fields_ = [("type", c.c_int32), ("id", c.c_int32)]


class DType(c.Structure):
    _fields_ = [("code", c.c_uint8), ("bits", c.c_uint8), ("lanes", c.c_uint16)]


class Tensor(c.Structure):
    _fields_ = [
        ("data", c.c_void_p), ("device", Device), ("ndim", c.c_int32), ("dtype", DType),
        ("shape", c.POINTER(c.c_int64)), ("strides", c.POINTER(c.c_int64)), ("byte_offset", c.c_uint64),
    ]  # fmt: skip


class ContextOptions(c.Structure):
    _fields_ = [("size", c.c_uint32), ("threads", c.c_int32), ("stream", c.c_void_p)]


class Engine:
    """One compiled segment. `run` takes and gives tensors on the GPU, in the manifest's order."""

    def __init__(self, directory, stream=None):
        with open(os.path.join(directory, "manifest.json")) as f:
            self.manifest = json.load(f)
        self.lib = c.CDLL(os.path.join(directory, "libmodel.so"))
        for name in ("ait_last_error", "ait_context_error"):
            getattr(self.lib, name).restype = c.c_char_p
        segments = [s["target"] for s in self.manifest["steps"] if s["kind"] == "engine"]
        self.whole = len(self.manifest["steps"]) == 1 and len(segments) == 1
        self.engine = c.c_void_p()
        self._check(self.lib.ait_engine_open(directory.encode(), segments[0].encode(), None, c.byref(self.engine)))
        self.context = self.new_context(stream)

    def new_context(self, stream=None):
        context = c.c_void_p()
        options = ContextOptions(c.sizeof(ContextOptions), 0, stream)
        self._check(self.lib.ait_context_create(self.engine, c.byref(options), c.byref(context)))
        return context

    def _check(self, status):
        if status != 0:
            raise RuntimeError(self.lib.ait_last_error().decode())

    def prepare(self, inputs, outputs):
        """The two argument lists of a run; they keep the tensors' addresses, so keep the tensors."""
        return self._list(inputs), self._list(outputs), inputs, outputs

    def _list(self, tensors):
        array = (Tensor * len(tensors))()
        for i, t in enumerate(tensors):
            if not t.is_contiguous():
                raise ValueError("tensors must be contiguous")
            shape = (c.c_int64 * max(1, t.dim()))(*t.shape)
            code, bits = TYPES[t.dtype]
            device = Device(CUDA if t.is_cuda else CPU, 0)
            array[i] = Tensor(t.data_ptr(), device, t.dim(), DType(code, bits, 1), shape, None, 0)
        return array

    def shapes(self, inputs, count):
        """Shapes of the outputs for these inputs."""
        outputs = (Tensor * count)()
        for i in range(count):
            outputs[i].shape = (c.c_int64 * 16)()
        self._check(self.lib.ait_output_shapes(self.engine, self._list(inputs), len(inputs), outputs, count))
        return [[o.shape[k] for k in range(o.ndim)] for o in outputs]

    def launch(self, prepared, context=None):
        ins, outs, inputs, outputs = prepared
        self._check(self.lib.ait_run(context or self.context, ins, len(inputs), outs, len(outputs)))

    def run(self, inputs, dtypes):
        """Runs once and gives new tensors of these types."""
        shapes = self.shapes(inputs, len(dtypes))
        outputs = [torch.empty(s, dtype=d, device="cuda") for s, d in zip(shapes, dtypes)]
        self.launch(self.prepare(inputs, outputs))
        torch.cuda.synchronize()
        return outputs

    def close(self):
        self.lib.ait_context_destroy(self.context)
        self.lib.ait_engine_close(self.engine)
