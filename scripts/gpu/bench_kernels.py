"""Checks and times the device's products and convolutions against PyTorch's on one Hopper GPU.

Every kernel is compiled from kernels/include by NVRTC, checked against float32 on fresh random numbers with its result
poisoned first, and only then timed, as launches within a graph. Prints the best tiling for each shape and its ratio to
PyTorch's library in the same process; writes every number to $OUT/kernels.json.

    python3 scripts/gpu/bench_kernels.py [gemm|gemv|conv|depthwise ...]

AIT_TILES=wide leaves the tiles of mma.sync out.
"""

import sys

from cubins import benchmark, write_report
from product_sources import sources_of


def main():
    kinds = sys.argv[1:] or ['gemm', 'gemv', 'conv', 'depthwise']
    results, failed = benchmark(sources_of(kinds), 'product_worker.py', kinds, patience=15, attempts=12)
    write_report('kernels.json', {'results': results, 'failed': failed})


if __name__ == '__main__':
    main()
