import { execa } from 'execa';
import { expect, test } from 'vitest';
import { pythonEnv } from './python-env.js';
import { zoo } from './zoo-fetch.js';

const DESCRIBE = `
import json, sys
import onnx
def describe(path):
    model = onnx.load(path)
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = {
        value.name: [
            onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name,
            [dim.dim_value if dim.dim_value > 0 else None for dim in value.type.tensor_type.shape.dim],
        ]
        for value in model.graph.input if value.name not in constants
    }
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    return {"opset": opset, "inputs": inputs}
print(json.dumps([describe(path) for path in json.load(sys.stdin)]))
`;

type Described = {
  readonly opset: number;
  readonly inputs: Readonly<Record<string, readonly [string, readonly (number | null)[]]>>;
};

test('every zoo model is as its entry says, and the entry feeds all of its inputs', async () => {
  const models = await zoo();
  const { stdout } = await execa(await pythonEnv(), ['-c', DESCRIBE], {
    input: JSON.stringify(models.map((model) => model.file)),
  });
  const described: readonly Described[] = JSON.parse(stdout);
  expect(models).toHaveLength(26);
  for (const [index, model] of models.entries()) {
    const { opset, inputs } = described[index]!;
    expect(opset, model.name).toBe(model.opset);
    expect(Object.keys(model.inputs).toSorted(), model.name).toEqual(Object.keys(inputs).toSorted());
    for (const [name, [dtype, dims]] of Object.entries(inputs)) {
      const fed = model.inputs[name]!;
      expect(fed.dtype, `${model.name} ${name}`).toBe(dtype);
      const filled = dims.map((dim, axis) => dim ?? fed.shape[axis]);
      expect(fed.shape, `${model.name} ${name}`).toEqual(filled);
      const range = fed.low !== undefined && fed.high !== undefined && fed.low < fed.high;
      expect(range || fed.value !== undefined, `${model.name} ${name}`).toBe(true);
    }
  }
});
