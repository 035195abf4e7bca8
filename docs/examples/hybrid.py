import numpy
import onnxruntime

options = onnxruntime.SessionOptions()
options.register_custom_ops_library("engine/libmodel.so")
session = onnxruntime.InferenceSession("engine/model.onnx", options)

feed = session.get_inputs()[0]
shape = [extent if isinstance(extent, int) else 2 for extent in feed.shape]
outputs = session.run(None, {feed.name: numpy.full(shape, 0.5, numpy.float32)})

for info, array in zip(session.get_outputs(), outputs):
    print(info.name, array.shape)
