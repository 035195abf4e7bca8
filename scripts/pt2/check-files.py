"""Checks ONNX files: prints those that onnx.checker refuses, one line each.

    python scripts/pt2/check-files.py FOLDER
"""

import pathlib
import sys

import onnx

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
    try:
        onnx.checker.check_model(onnx.load(path), full_check=True)
    except Exception as e:
        print(f"{path.stem}: {' '.join(str(e).split())[:300]}")
