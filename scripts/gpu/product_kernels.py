"""Launches of the kernels of products and convolutions."""

from ctypes import c_int as i32, c_int64 as i64

import torch

from cubins import ceil
from device import Module, open_driver, pointer, stream
from product_shapes import STEM_TILES, TILES, WIDES

SPLITS = [1, 2, 4, 8, 16]


class Kernels:
    def __init__(self, cubins):
        self.driver = open_driver()
        self.processors = torch.cuda.get_device_properties(0).multi_processor_count
        kinds = 'gemm', 'conv', 'stem', 'boxes'
        shared = {f'{p} {t.name}': t.shared for p in kinds for t in TILES + WIDES + STEM_TILES}
        self.modules = {k: Module(self.driver, c, shared.get(k, 0)) for k, c in cubins.items()}
        self.workspace = torch.empty(64 << 20, dtype=torch.float32, device='cuda')

    def whole(self, key, grid, threads, arguments):
        """Its one launch, unless the kernel is left out."""
        if key in self.modules:
            module = self.modules[key]
            yield key, key.split(' ', 1)[1], lambda: module.launch(stream(), 'whole', grid, threads, arguments)

    def tiled(self, kind, tiles, depth, operands, shape, bias, result):
        """Every tiling that suits the result, in every number of parts of the depth that does."""
        columns = result.shape[-1]
        rows = result.numel() // columns
        for t in tiles:
            key = f'{kind} {t.name}'
            if key not in self.modules or not self.sensible(t, rows, columns):
                continue
            inputs = operands(t)
            for parts in self.splits_of(t, rows, columns, depth):
                sums = result if parts == 1 else self.workspace
                arguments = [*inputs, pointer(sums), *shape(parts), pointer(bias)]
                run = self.in_parts(key, t, parts, rows, columns, arguments, bias, result)
                yield key, f'{"b" if kind == "boxes" else ""}{t.name}/{parts}', run

    def in_parts(self, key, t, parts, rows, columns, arguments, bias, result):
        blocks = ceil(rows, t.bm) * ceil(columns, t.bn)
        grid = (min(blocks * parts, self.processors * t.blocks), 1, 1) if t.wide else (blocks, parts, 1)
        module, reduce = self.modules[key], self.modules['reduce']
        numbers = [i64(rows), i64(columns), i32(parts)]
        added = [pointer(self.workspace), pointer(result), *numbers, pointer(bias)]

        def run():
            module.launch(stream(), 'whole' if parts == 1 else 'part', grid, t.threads, arguments)
            if parts > 1:
                reduce.launch(stream(), 'reduce', (ceil(rows * columns, 1024), 1, 1), 256, added)

        return run

    def splits_of(self, t, rows, columns, depth):
        tiles = ceil(rows, t.bm) * ceil(columns, t.bn)
        most = self.processors * 3, ceil(depth, t.bk), self.workspace.numel()
        for s in SPLITS:
            if s > 1 and (tiles * s > most[0] or s * 2 > most[1] or s * rows * columns > most[2]):
                break
            yield s

    def sensible(self, t, rows, columns):
        if t.bm > 2 * rows and t.bm > 64 or t.bn > 2 * columns and t.bn > 64:
            return False
        return ceil(rows, t.bm) * ceil(columns, t.bn) <= 8 * self.processors or t.bm * t.bn >= 64 * 128
