import { broadcast, type Dim, isStatic, mul, type Shape, sameShape, show } from '../ir/dim.js';
import { shapeOf, type Value } from '../ir/graph.js';
import { scalarLiteral } from '../ir/literal.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { constant } from './constant.js';
import { pick, stridesOf } from './content.js';
import { type Build, defineOp, type OpDef } from './op.js';
import { broadcasts } from './requirements.js';
import { reshape } from './reshape.js';
import { spread } from './strides.js';

/** Repeats axes of extent 1, and puts new ones in front, until the shape is `shape`. */
export const expand: OpDef<{ shape: Shape }> = defineOp({
  name: 'expand',

  infer: ([x], { shape }) => {
    if (!broadcast(x!.shape, shape) || shape.length < x!.shape.length)
      throw new CompileError(
        'bad-broadcast',
        `[${x!.shape.map(show).join(',')}] does not expand to [${shape.map(show).join(',')}]`,
      );
    return tensor(x!.dtype, shape);
  },

  requires: ([x], { shape }) => broadcasts([x!.shape], shape),

  evaluate: ([x], { shape }) => {
    if (!x || !isStatic(shape)) return undefined;
    const strides = stridesOf(x.shape);
    const lead = shape.length - x.shape.length;
    return pick(x, shape, (index) =>
      index.reduce((at, i, d) => (d < lead || x.shape[d - lead] === 1 ? at : at + i * strides[d - lead]!), 0),
    );
  },

  onnx: {
    Expand: {
      8: (n, b) => {
        const x = n.input(0);
        const asked = n.dims(n.input(1));
        const shape = broadcast(shapeOf(x), asked);
        if (!shape)
          throw new CompileError(
            'bad-broadcast',
            `[${shapeOf(x).map(show).join(',')}] does not expand to [${asked.map(show).join(',')}]`,
          );
        return expanded(b, x, shape);
      },
    },
    Tile: {
      // The number of tiles and the axis they follow one another on.
      1: (n, b) => {
        const shape = shapeOf(n.input(0));
        return tiled(
          b,
          n.input(0),
          spread(
            n.dims(n.input(1)),
            n.dims(n.input(2)),
            shape.map(() => 1),
          ),
        );
      },
      6: (n, b) => tiled(b, n.input(0), n.dims(n.input(1))),
    },
    ConstantOfShape: {
      9: (n, b) => {
        const value = n.tensor('value')?.reshaped([]) ?? scalarLiteral('f32', 0);
        return expanded(b, b(constant, [], { value }), n.dims(n.input(0)));
      },
    },
  },

  toOnnx: ({ attrs }, [x], e) => e.one('Expand', [x, e.dims(attrs.shape)]),
});

export const expanded = (b: Build, x: Value, shape: Shape): Value =>
  sameShape(shapeOf(x), shape) ? x : b(expand, [x], { shape });

/** [d0, d1] tiled (r0, r1) is [1, d0, 1, d1] expanded to [r0, d0, r1, d1]. */
function tiled(b: Build, x: Value, repeats: Shape): Value {
  const shape = shapeOf(x);
  if (repeats.length !== shape.length)
    throw new CompileError('bad-tile', `${repeats.length} repeats are given for ${shape.length} axes`);
  const apart: Dim[] = [];
  const wide: Dim[] = [];
  shape.forEach((n, d) => {
    if (repeats[d] !== 1) {
      apart.push(1);
      wide.push(repeats[d]!);
    }
    apart.push(n);
    wide.push(n);
  });
  if (apart.length === shape.length) return x;
  const repeated = expanded(b, b(reshape, [x], { shape: apart }), wide);
  return b(reshape, [repeated], { shape: shape.map((n, d) => mul(n, repeats[d]!)) });
}
