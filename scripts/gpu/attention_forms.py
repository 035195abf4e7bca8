"""Forms of the kernels of attention, their source text, and the shapes they are tried on."""

import re

from cubins import ceil, function, source

# name: batch, heads, queries, keys, depth, causal
CASES = {
    'odd': (2, 3, 150, 211, 40, False),
    'odd causal': (2, 3, 211, 211, 64, True),
    'odd deep': (1, 3, 130, 333, 160, False),
    'odd 80': (2, 2, 77, 130, 80, False),
    'one key': (1, 2, 70, 1, 64, False),
    'ViT 1': (1, 12, 197, 197, 64, False),
    'ViT 32': (32, 12, 197, 197, 64, False),
    'GPT-2 1': (1, 12, 128, 128, 64, True),
    'GPT-2 8': (8, 12, 128, 128, 64, True),
    'CLIP text 32': (32, 8, 77, 77, 64, True),
    'CLIP vision 32': (32, 12, 50, 50, 64, False),
    'BERT 32': (32, 12, 128, 128, 64, False),
    **{
        f'UNet {q} {b}{" text" if k == 77 else ""}': (b, 8, q, k, d, False)
        for b in (1, 4)
        for q, d in ((4096, 40), (1024, 80), (256, 160), (64, 160))
        for k in (q, 77)
    },
    'long causal': (1, 16, 4096, 4096, 64, True),
}
WGMMA_DEPTHS = (40, 64, 80, 96, 128, 160)
# keys, groups, shares, stages, blocks of a multiprocessor, whether in order
WIDE_FORMS = {
    64: [
        (64, 4, 1, 4, 1, True), (64, 4, 1, 4, 1, False), (64, 3, 1, 4, 1, True), (64, 2, 1, 4, 1, True),
        (64, 2, 1, 4, 2, True), (64, 2, 1, 4, 2, False), (64, 1, 1, 4, 3, False), (64, 1, 1, 2, 4, False),
        (64, 1, 2, 4, 1, False), (64, 1, 2, 2, 2, False), (64, 1, 4, 4, 1, False), (64, 2, 2, 4, 1, False),
        (80, 2, 1, 2, 1, True), (80, 1, 1, 2, 2, False), (80, 1, 1, 2, 3, False), (80, 2, 1, 1, 2, True),
        (80, 3, 1, 3, 1, True),
    ],
    128: [
        (64, 3, 1, 3, 1, True), (64, 2, 1, 3, 1, True), (64, 2, 1, 2, 2, True), (64, 1, 1, 3, 2, False),
        (64, 1, 2, 4, 1, False), (64, 1, 2, 2, 2, False), (64, 2, 2, 4, 1, False), (80, 1, 1, 1, 3, False),
        (80, 2, 1, 1, 2, True), (80, 2, 1, 3, 1, True), (64, 4, 1, 3, 1, True),
    ],
    192: [
        (64, 2, 1, 2, 1, True), (64, 1, 1, 4, 1, False), (64, 1, 1, 1, 2, False), (64, 1, 2, 4, 1, False),
        (64, 1, 2, 2, 1, False), (80, 1, 1, 1, 1, False), (80, 1, 1, 1, 2, False),
    ],
}  # fmt: skip
# warps, tiles, keys
NARROW_FORMS = [(4, 1, 64), (4, 2, 64), (4, 1, 32), (4, 1, 80), (8, 1, 64)]


def flag(x):
    return 'true' if x else 'false'


class Wide:
    def __init__(self, depth, form, causal):
        self.keys, self.groups, self.shares, self.stages, blocks, ordered = form
        keys, values = ceil(depth, 16) * 16, next(d for d in WGMMA_DEPTHS if d >= depth)
        groups = self.groups * self.shares
        self.threads = 128 * groups + (128 if groups == 4 else 32)
        self.rows = 64 * self.groups
        panels = ceil(keys, 64), ceil(values, 64)
        self.shared = 128 * (max(panels) * self.rows + self.stages * self.keys * sum(panels)) + 8 + 32 * self.stages
        numbers = f'k{self.keys}g{self.groups}s{self.shares}t{self.stages}b{blocks}{"o" if ordered else ""}'
        self.name = f'w{depth}{numbers}{"c" if causal else ""}'
        form = ', '.join(str(n) for n in (keys, values, self.keys, self.groups, self.shares, self.stages))
        text = f'g::WideAttention<{form}, {flag(causal)}, {flag(ordered)}>'
        maps = ', '.join(f'const __grid_constant__ g::TensorMap {n}' for n in 'qkv')
        call = f'g::attention_sm90<{text}, f16>(s, q, k, v, y);'
        self.source = attend('attention_sm90.h', f'{self.threads}, {blocks}', maps, call)


class Narrow:
    def __init__(self, depth, form, causal):
        warps, tiles, keys = form
        d = ceil(depth, 16) * 16
        self.threads, self.rows = 32 * warps, 16 * warps * tiles
        self.shared = 2 * (self.rows + 4 * keys) * (d + 8)
        self.name = f'm{depth}w{warps}t{tiles}k{keys}{"c" if causal else ""}'
        text = f'g::AttentionForm<{d}, {d}, {warps}, {tiles}, {keys}, true, true, false, {flag(causal)}, false>'
        views = ', '.join(f'g::HeadsView<const f16> {n}' for n in 'qkv')
        rest = 'g::MaskView<g::NoMask>{}, y, g::AttentionParts{nullptr, nullptr}'
        call = f'g::attention<{text}, f16, g::NoMask>(s, q, k, v, {rest});'
        self.source = attend('attention.h', self.threads, views, call)


def attend(header, bounds, parameters, call):
    parameters = f'{parameters}, g::AttentionShape s, g::HeadsView<f16> y'
    return source(header, function(bounds, 'attend', parameters, call))


def forms_of(case):
    _, _, queries, keys, depth, causal = case
    fits = lambda f: (f[1] == 1 or 64 * (f[1] - 1) < queries) and (f[0] == 64 or keys <= 400)
    wide = [Wide(depth, f, causal) for f in WIDE_FORMS[ceil(depth, 64) * 64] if fits(f)]
    narrow = [Narrow(depth, f, causal) for f in NARROW_FORMS if f[2] < keys + 16 or f[2] <= 64]
    return [f for f in wide if keys > 64 or f.shares == 1] + [f for f in narrow if f.shared <= 227 << 10]


def cases_of(pattern):
    return {name: case for name, case in CASES.items() if re.search(pattern, name)}
