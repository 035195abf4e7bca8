import { shapeOf } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { pick, stridesOf } from './content.js';
import { ints } from './onnx-emitter.js';
import { defineOp, type OpDef } from './op.js';
import { depthToSpace, spaceToDepth } from './space.js';

/** Reorders axes: axis i of the result is axis `perm[i]` of the input. */
export const transpose: OpDef<{ perm: readonly number[] }> = defineOp({
  name: 'transpose',

  infer: ([x], { perm }) => {
    if (
      perm.length !== x!.shape.length ||
      new Set(perm).size !== perm.length ||
      perm.some((p) => x!.shape[p] === undefined)
    )
      throw new CompileError('bad-perm', `[${perm.join(',')}] does not permute ${x!.shape.length} axes`);
    return tensor(
      x!.dtype,
      perm.map((p) => x!.shape[p]!),
    );
  },

  evaluate: ([x], { perm }) => {
    if (!x) return undefined;
    const strides = stridesOf(x.shape);
    const shape = perm.map((p) => x.shape[p]!);
    return pick(x, shape, (index) => index.reduce((at, i, d) => at + i * strides[perm[d]!]!, 0));
  },

  onnx: {
    Transpose: {
      1: (n, b) => {
        const rank = shapeOf(n.input(0)).length;
        const perm = n.ints(
          'perm',
          Array.from({ length: rank }, (_, i) => rank - 1 - i),
        );
        return b(transpose, [n.input(0)], { perm });
      },
    },
    DepthToSpace: { 1: depthToSpace },
    SpaceToDepth: { 1: spaceToDepth },
  },

  toOnnx: ({ attrs }, [x], e) => e.one('Transpose', [x], { perm: ints(attrs.perm) }),
});
