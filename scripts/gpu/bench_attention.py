"""Checks and times the device's attention against PyTorch's on one Hopper GPU, as bench_kernels.py does products.

Every form of both kernels, with mma.sync and with wgmma, is checked against float32 on fresh random numbers with its
result poisoned first, and only then timed. Prints for each shape what PyTorch chooses, its flash and cuDNN kernels, and
the best forms; writes every number to $OUT/attention.json.

    python3 scripts/gpu/bench_attention.py [REGEX of cases]
"""

import sys

from attention_forms import cases_of, forms_of
from cubins import benchmark, write_report


def main():
    pattern = sys.argv[1] if len(sys.argv) > 1 else ''
    sources = {f.name: f.source for case in cases_of(pattern).values() for f in forms_of(case)}
    results, _ = benchmark(sources, 'attention_worker.py', [pattern], patience=12, attempts=8)
    write_report('attention.json', {r.pop('name'): r for r in results})


if __name__ == '__main__':
    main()
