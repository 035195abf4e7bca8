"""Checks an exported ONNX file and runs it: prints one JSON line.

    python scripts/pt2/check-onnx.py MODEL FOLDER SETS RTOL ATOL
"""

import json
import pathlib
import sys

import numpy
import onnx
import onnxruntime
from onnx import numpy_helper


def values(folder, kind):
    result = []
    while (path := folder / f"{kind}_{len(result)}.pb").exists():
        result.append(numpy_helper.to_array(onnx.load_tensor(path)))
    return result


def problem(model, folder, sets, rtol, atol):
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options)
    for i in range(sets):
        place = folder / f"test_data_set_{i}"
        names = [v.name for v in session.get_inputs()]
        results = session.run(None, dict(zip(names, values(place, "input"))))
        for v, mine, theirs in zip(session.get_outputs(), results, values(place, "output")):
            if mine.shape != theirs.shape:
                return f"data set {i}: {v.name}: shape {mine.shape} where {theirs.shape} is expected"
            if not numpy.allclose(mine, theirs, rtol, atol):
                return f"data set {i}: {v.name}: differs by {numpy.abs(mine - theirs).max()}, {atol} is allowed"
    return None


model, folder, sets, rtol, atol = sys.argv[1:]
try:
    found = problem(model, pathlib.Path(folder), int(sets), float(rtol), float(atol))
except Exception as e:
    found = f"{type(e).__name__}: {' '.join(str(e).split())[:300]}"
print(json.dumps({"problem": found}))
