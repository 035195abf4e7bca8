"""Tilings and other forms of the kernels of products and convolutions, and the shapes they are tried on."""

import os


class Tile:
    """A tiling of mma.sync kernels."""

    wide = False

    def __init__(self, *numbers):
        self.bm, self.bn, self.bk, self.wm, self.wn, self.stages = numbers
        self.threads = self.wm * self.wn * 32
        strip = self.threads // 32 * 16 * (self.bn // self.wn + 8) * 4
        self.shared = max(self.stages * (self.bm + self.bn) * self.bk * 2, strip)
        self.text = f'g::Tiling<{self.bm}, {self.bn}, {self.bk}, {self.wm}, {self.wn}, {self.stages}>'
        self.name = f'm{self.bm}x{self.bn}x{self.bk}w{self.wm}{self.wn}s{self.stages}'


class Wide:
    """A tiling of wgmma kernels."""

    wide = True

    def __init__(self, bm, bn, groups, stages, blocks=1, turns=False):
        self.bm, self.bn, self.bk, self.stages, self.blocks = bm, bn, 64, stages, blocks
        self.threads = 128 * (groups + 1)
        self.shared = stages * (bm + bn) * 128 + 16 * stages + 16
        self.text = f'g::WideTiling<{bm}, {bn}, {groups}, {stages}, {blocks}, {str(turns).lower()}>'
        self.name = f'w{bm}x{bn}g{groups}s{stages}b{blocks}{"t" if turns else ""}'


TILES = [
    Tile(256, 128, 32, 4, 2, 3),
    Tile(128, 256, 32, 2, 4, 3),
    Tile(128, 128, 32, 2, 2, 4),
    Tile(128, 128, 64, 2, 4, 3),
    Tile(128, 64, 32, 2, 2, 4),
    Tile(64, 128, 64, 2, 2, 3),
    Tile(64, 64, 64, 2, 2, 4),
    Tile(64, 32, 64, 2, 2, 4),
    Tile(32, 64, 64, 2, 2, 4),
    Tile(32, 128, 64, 1, 4, 4),
    Tile(16, 64, 64, 1, 4, 5),
    Tile(16, 128, 64, 1, 4, 4),
]
WIDES = [
    Wide(128, 256, 2, 4),
    Wide(256, 128, 2, 4),
    Wide(192, 192, 3, 4),
    Wide(128, 192, 2, 5),
    Wide(192, 128, 3, 5),
    Wide(192, 96, 3, 6),
    Wide(128, 128, 2, 6, 1, True),
    Wide(64, 256, 2, 5, 1, True),
    Wide(128, 96, 2, 6, 1, True),
    Wide(128, 128, 1, 3, 2),
    Wide(128, 64, 2, 4, 2),
    Wide(64, 128, 1, 4, 2),
    Wide(64, 96, 1, 4, 2),
    Wide(64, 64, 1, 6, 2),
    Wide(64, 64, 1, 12, 1),
    Wide(64, 32, 1, 8, 2),
]
STEM_TILES = TILES[2:8] + [
    Tile(128, 64, 64, 4, 1, 2), Tile(128, 32, 64, 4, 1, 2), Tile(64, 64, 32, 2, 2, 2), Tile(128, 32, 32, 4, 1, 2),
]
if os.environ.get('AIT_TILES') == 'wide':
    TILES, STEM_TILES = [], []

GEMMS = [
    (8192, 8192, 8192), (4096, 4096, 4096), (2048, 2048, 2048), (1024, 1024, 1024), (8192, 1024, 4096),
    (128, 768, 768), (128, 2304, 768), (128, 3072, 768), (128, 768, 3072), (512, 768, 768), (512, 3072, 768),
    (4096, 768, 768), (4096, 3072, 768), (4096, 768, 3072), (197, 768, 768), (197, 3072, 768), (197, 768, 3072),
    (6304, 768, 768), (6304, 3072, 768), (128, 50264, 768), (16, 4096, 4096), (32, 1000, 2048), (64, 4096, 4096),
    (3136, 64, 64), (3136, 256, 64), (3136, 64, 256), (196, 1024, 256), (196, 256, 1024), (49, 2048, 512),
    (49, 512, 2048), (100352, 64, 256), (100352, 256, 64), (6272, 1024, 256), (6272, 256, 1024), (1568, 512, 2048),
    (8192, 320, 320), (8192, 2560, 320), (8192, 320, 1280),
]
GEMVS = [
    (1, 1000, 2048), (1, 4096, 4096), (1, 768, 3072), (1, 240, 960), (4, 4096, 4096), (8, 1000, 2048), (8, 4096, 4096),
]
# batch, h, w, channels, outputs, kernel, stride
CONVS = [
    (1, 56, 56, 64, 64, 3, 1), (1, 28, 28, 128, 128, 3, 1), (1, 14, 14, 256, 256, 3, 1), (1, 7, 7, 512, 512, 3, 1),
    (1, 56, 56, 128, 128, 3, 2), (1, 14, 14, 512, 512, 3, 2), (32, 56, 56, 64, 64, 3, 1),
    (32, 28, 28, 128, 128, 3, 1), (32, 14, 14, 256, 256, 3, 1), (32, 7, 7, 512, 512, 3, 1),
    (32, 56, 56, 128, 128, 3, 2), (32, 56, 56, 256, 512, 1, 2), (2, 64, 64, 320, 320, 3, 1),
    (2, 32, 32, 640, 640, 3, 1), (2, 16, 16, 1280, 1280, 3, 1), (2, 8, 8, 1280, 1280, 3, 1),
    (1, 64, 64, 512, 512, 3, 1), (1, 512, 512, 128, 128, 3, 1), (32, 28, 28, 96, 96, 3, 1), (32, 56, 56, 32, 64, 3, 1),
    (32, 28, 28, 192, 192, 3, 1), (1, 56, 56, 256, 512, 1, 2), (1, 512, 512, 128, 8, 3, 1),
]
STEMS = [
    (1, 224, 224, 3, 64, 7, 2), (32, 224, 224, 3, 64, 7, 2), (32, 224, 224, 3, 96, 4, 4), (32, 224, 224, 3, 32, 3, 2),
]
FIRSTS = [
    (32, 224, 224, 3, 32, 3, 2), (32, 224, 224, 3, 16, 3, 2), (1, 224, 224, 3, 32, 3, 2), (1, 224, 224, 3, 16, 3, 2),
]
# batch, h, w, channels, kernel, stride
DEPTHWISE = [
    (1, 112, 112, 32, 3, 1), (1, 14, 14, 480, 3, 1), (1, 7, 7, 960, 5, 1), (32, 112, 112, 96, 3, 2),
    (32, 56, 56, 144, 3, 1), (32, 14, 14, 672, 5, 1), (32, 56, 56, 96, 7, 1),
]
GEMV_TILES = [(m, n, 4, s) for m in (1, 4, 8) for n in (1, 2, 4) for s in (1, 4) if m * n <= 16]
DEPTHWISE_PARTS = [
    (2, 1, 1), (2, 1, 2), (4, 1, 1), (4, 1, 2), (4, 2, 2), (4, 1, 4), (4, 2, 4), (4, 4, 2),
]
DEPTHWISE_TILES = sorted({(k, s, *part) for *_, k, s in DEPTHWISE for part in DEPTHWISE_PARTS})
FIRST_TILES = [(n, p) for n in (8, 16, 32) for p in (1, 2, 4) if n * p <= 64]
