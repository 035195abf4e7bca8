"""One engine for every batch and length: BERT's encoder at batches 1..32 and lengths 16..512, converted once.

usage: python scripts/gpu/dynamic.py [--convert COMMAND] [--layers N] [--stride S]

Every batch with every S-th length and those around powers of two, in random order, so that the arena grows and
shrinks; each result against PyTorch in fp32 with the same weights. Prints how many were right.
"""

import argparse
import json
import os
import random
import tempfile

import torch

from conversion import convert
from engine import Engine
from measuring import cosine
from networks import Outputs

BATCHES, LENGTHS = range(1, 33), range(16, 513)


def encoder(layers):
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(num_hidden_layers=layers, attn_implementation="sdpa")
    return Outputs(BertModel(config), ["last_hidden_state", "pooler_output"]).eval()


def export(model, path):
    dims = {0: torch.export.Dim("batch", min=1, max=32), 1: torch.export.Dim("length", min=16, max=512)}
    example = (torch.randint(0, 30522, (2, 40)),)
    torch.onnx.export(
        model, example, path, opset_version=18, dynamo=True, dynamic_shapes=(dims,), external_data=True, verbose=False
    )  # fmt: skip


def sizes(stride):
    edges = [16, 17, 31, 32, 33, 63, 64, 65, 96, 100, 127, 128, 129, 197, 255, 256, 257, 333, 384, 511, 512]
    both = [(b, n) for b in BATCHES for n in sorted({*edges, *LENGTHS[::stride]})]
    random.Random(0).shuffle(both)
    return both


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--convert", default="npx ait-convert")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--stride", type=int, default=1)
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    model = encoder(options.layers)
    with tempfile.TemporaryDirectory() as work:
        path, directory = os.path.join(work, "model.onnx"), os.path.join(work, "engine")
        export(model, path)
        arch = "sm_%d%da" % torch.cuda.get_device_capability()
        _, seconds = convert(options.convert, path, directory, ["--arch", arch])
        stream = torch.cuda.Stream()
        engine = Engine(directory, stream.cuda_stream)
        reference = model.cuda()
        wrong, worst, all_sizes = [], 1.0, sizes(options.stride)
        for batch, length in all_sizes:
            tokens = torch.randint(0, 30522, (batch, length), device="cuda")
            with torch.no_grad():
                expected = reference(tokens)
            torch.cuda.synchronize()
            got = engine.run([tokens], [torch.float32] * 2)
            right = min(cosine(g, e) for g, e in zip(got, expected))
            worst = min(worst, right)
            if not right >= 0.9999:
                wrong.append((batch, length, right))
        engine.close()
    print(f"{torch.cuda.get_device_name()}: converted once in {seconds:.1f} s; {len(all_sizes)} sizes of batch 1..32 and "
          f"length 16..512, {len(wrong)} wrong, lowest cosine {worst:.6f}")  # fmt: skip
    print(json.dumps(wrong[:20])) if wrong else None
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
