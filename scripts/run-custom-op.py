"""Runs the hybrid model of an engine directory in Python's onnxruntime, as a user would.

run-custom-op.py DIRECTORY [THREADS [MODEL]]: reads {"name": [dtype, shape, values]} per line from stdin and prints the outputs
in the same form, one line for each. The lines run concurrently when THREADS is more than 1.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy
import onnxruntime


def main():
    directory = sys.argv[1]
    threads = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.register_custom_ops_library(os.path.join(directory, "libmodel.so"))
    model = sys.argv[3] if len(sys.argv) > 3 else os.path.join(directory, "model.onnx")
    session = onnxruntime.InferenceSession(model, options)
    names = [output.name for output in session.get_outputs()]

    def run(line):
        feeds = {
            name: numpy.array(values, dtype).reshape(shape)
            for name, (dtype, shape, values) in json.loads(line).items()
        }
        try:
            outputs = session.run(names, feeds)
        except Exception as error:  # The message is what the caller asks for.
            return {"error": str(error)}
        return {
            name: [str(array.dtype), list(array.shape), array.ravel().tolist()]
            for name, array in zip(names, outputs)
        }

    with ThreadPoolExecutor(threads) as pool:
        for result in pool.map(run, sys.stdin.read().splitlines()):
            print(json.dumps(result))


main()
