import { isFloat, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { defineOp, type OpDef } from './op.js';

/** Determinants of square matrices. */
export const det: OpDef = defineOp({
  name: 'det',
  infer: ([x]) => {
    const [rows, columns] = x!.shape.slice(-2);
    if (
      columns === undefined ||
      !isFloat(x!.dtype) ||
      (typeof rows === 'number' && typeof columns === 'number' && rows !== columns)
    )
      throw new CompileError('bad-rank', 'only square matrices have determinants');
    return tensor(x!.dtype, x!.shape.slice(0, -2));
  },
  onnx: { Det: { 11: (n, b) => b(det, [n.input(0)], {}) } },
  toOnnx: (_, [x], e) => e.one('Det', [x]),
});
