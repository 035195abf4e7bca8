import { add, floordiv, lt, max, min, type Shape, show, sub } from '../ir/dim.js';
import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import { scalarLiteral } from '../ir/literal.js';
import { showType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { constant } from './constant.js';
import { int, type OnnxEmitter, text } from './onnx-emitter.js';
import { type Build, type Converter, defineOp, type OpDef, type SourceNode, sameDtype } from './op.js';
import { reshape } from './reshape.js';
import { sliced } from './slice.js';
import { spread } from './strides.js';

export type PadMode = 'constant' | 'edge' | 'reflect' | 'wrap';

/**
 * Puts elements around a tensor; negative amounts cut some off, before the others are added. Inputs: the
 * tensor, and for `constant` optionally the scalar to write in place of 0.
 */
export const pad: OpDef<{ before: Shape; after: Shape; mode: PadMode }> = defineOp({
  name: 'pad',

  infer: ([x, value], { before, after, mode }) => {
    const rank = x!.shape.length;
    if (before.length !== rank || after.length !== rank)
      throw new CompileError(
        'bad-pads',
        `pads for ${before.length} axes do not fit a tensor of rank ${rank}`,
      );
    if (value) sameDtype('pad', [x!, value]);
    const shape = x!.shape.map((n, d) => add(n, before[d]!, after[d]!));
    if (shape.some((n, d) => lt(n, 0) === 1 || (mode !== 'constant' && x!.shape[d] === 0 && n !== 0)))
      throw new CompileError(
        'bad-pads',
        `${showType(x!)} cannot be padded to [${shape.map(show).join(',')}]`,
      );
    return tensor(
      x!.dtype,
      shape.map((n) => max(n, 0)),
    );
  },

  onnx: {
    Pad: {
      1: (n, b) => padded(n, b, n.ints('paddings'), attributeValue(n, b)),
      2: (n, b) => padded(n, b, n.ints('pads'), attributeValue(n, b)),
      11: (n, b) => padded(n, b, n.dims(n.input(1)), inputValue(n, b)),
      18: (n, b) => {
        const axes = n.optional(3);
        return padded(n, b, n.dims(n.input(1)), inputValue(n, b), axes && n.dims(axes));
      },
    },
    CenterCropPad: { 18: centred },
  },

  toOnnx: ({ attrs: { before, after, mode }, inputs: [v] }, [x, value], e) =>
    mode === 'wrap' && e.opset < 19
      ? wrapped(x!, shapeOf(v!), before, after, e)
      : e.one('Pad', [x, e.dims([...before, ...after]), value], { mode: text(mode) }),
});

/** Each axis gathered from places that go round. */
function wrapped(x: string, shape: Shape, before: Shape, after: Shape, e: OnnxEmitter): string {
  return shape.reduce<string>((y, n, d) => {
    if (before[d] === 0 && after[d] === 0) return y;
    const places = e.one('Range', [e.dim(sub(0, before[d]!)), e.dim(add(n, after[d]!)), e.dim(1)]);
    return e.one('Gather', [y, e.one('Mod', [places, e.dim(n)])], { axis: int(d) });
  }, x);
}

function padded(n: SourceNode, b: Build, pads: Shape, value?: Value, axes?: Shape): ReturnType<Converter> {
  const x = n.input(0);
  const rank = shapeOf(x).length;
  const on = axes ?? Array.from({ length: rank }, (_, d) => d);
  const zeros = shapeOf(x).map(() => 0);
  if (pads.length !== 2 * on.length)
    throw new CompileError('bad-pads', `${pads.length} pads are given for ${on.length} axes`);
  const before = spread(pads.slice(0, on.length), on, zeros);
  const after = spread(pads.slice(on.length), on, zeros);
  if ([...before, ...after].every((p) => p === 0)) return x;
  const mode = modeOf(n);
  return b(pad, mode === 'constant' && value ? [x, value] : [x], { before, after, mode });
}

function modeOf(n: SourceNode): PadMode {
  const mode = n.string('mode', 'constant');
  switch (mode) {
    case 'constant':
    case 'edge':
    case 'reflect':
    case 'wrap':
      return mode;
    default:
      return n.decline(`Pad has no mode "${mode}"`);
  }
}

function attributeValue(n: SourceNode, b: Build): Value | undefined {
  const value = n.float('value', 0);
  return value === 0 ? undefined : b(constant, [], { value: scalarLiteral(dtypeOf(n.input(0)), value) });
}

function inputValue(n: SourceNode, b: Build): Value | undefined {
  const value = n.optional(2);
  if (!value) return undefined;
  return shapeOf(value).length === 0 ? value : b(reshape, [value], { shape: [] });
}

/** CenterCropPad: what is too long is cut at both ends, what is too short is surrounded by zeros. */
function centred(...[n, b]: Parameters<Converter>): ReturnType<Converter> {
  const x = n.input(0);
  const shape = shapeOf(x);
  const axes = n.ints(
    'axes',
    shape.map((_, d) => d),
  );
  const wanted = spread(n.dims(n.input(1)), axes, shape);
  const kept = shape.map((d, i) => min(d, wanted[i]!));
  const cut = shape.map((d, i) => floordiv(sub(d, kept[i]!), 2));
  const part = sliced(
    b,
    x,
    cut,
    shape.map(() => 1),
    kept,
  );
  const missing = wanted.map((d, i) => sub(d, kept[i]!));
  if (missing.every((d) => d === 0)) return part;
  const before = missing.map((d) => floordiv(d, 2));
  const after = missing.map((d, i) => sub(d, before[i]!));
  return b(pad, [part], { before, after, mode: 'constant' });
}
