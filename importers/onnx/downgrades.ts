import { literalOf } from '../../src/ir/literal.js';
import type { DType } from '../../src/ir/type.js';

import { type Downgrade, type DowngradeEmitter, numbersAt, withoutInput } from './downgrade.js';
import { resizeAllAxes } from './downgrade-resize.js';
import { attribute, dtypeOf, type PlainNode, rankOf, withAttribute, withInput, without } from './upgrade.js';

const drop =
  (...names: readonly string[]): Downgrade =>
  (n) =>
    without(n, ...names);

const each = (names: string, step: Downgrade): Readonly<Record<string, Downgrade>> =>
  Object.fromEntries(names.split(' ').map((name) => [name, step]));

/** Something that is there only from an operator set on, when the node uses it. */
const only =
  (opset: number, what: string, uses: (n: PlainNode) => boolean, then: Downgrade = (n) => n): Downgrade =>
  (n, e) => {
    if (uses(n)) e.needs(opset, `${n.opType} ${what}`);
    return then(n, e);
  };

const isSet = (n: PlainNode, name: string): boolean => (attribute(n, name, 'int') ?? 0n) !== 0n;
const textOf = (n: PlainNode, name: string): string | undefined => attribute(n, name, 'string');
const dilated = (n: PlainNode): boolean => (attribute(n, 'dilations', 'ints') ?? []).some((d) => d !== 1n);
const constant = (values: readonly number[], e: DowngradeEmitter): string =>
  e.literal(literalOf('i64', [values.length], values));

/** What a reduction along no axes does to each element. */
const alone: Readonly<Record<string, string>> = {
  ReduceL1: 'Abs',
  ReduceL2: 'Abs',
  ReduceLogSum: 'Log',
};

const reduce: Downgrade = (n, e) => {
  const plain = without(n, 'noop_with_empty_axes');
  const axes = numbersAt(n, 1, e);
  if (n.inputs[1] !== undefined && axes === undefined) {
    e.needs(18, `${n.opType} along axes that only the run knows`);
    return n;
  }
  if (axes && axes.length > 0)
    return withAttribute(withoutInput(plain, 1), { name: 'axes', type: 'ints', value: axes.map(BigInt) });
  if (!isSet(n, 'noop_with_empty_axes')) return withoutInput(plain, 1);
  const one = { ...withoutInput(without(plain, 'keepdims'), 1), opType: alone[n.opType] ?? 'Identity' };
  return n.opType === 'ReduceSumSquare' ? { ...one, opType: 'Mul', inputs: [n.inputs[0], n.inputs[0]] } : one;
};

/** Before opset 18, parts without sizes are equal ones. */
const split: Downgrade = (n, e) => {
  const parts = attribute(n, 'num_outputs', 'int');
  const plain = without(n, 'num_outputs');
  if (parts === undefined) return plain;
  const type = n.types[0];
  const axis = Number(attribute(n, 'axis', 'int') ?? 0n);
  const extent = type?.kind === 'tensor' ? type.shape.at(axis) : undefined;
  if (typeof extent !== 'number') {
    e.needs(18, 'Split of an extent that only the run knows');
    return n;
  }
  const [count, size] = [Number(parts), Math.ceil(extent / Number(parts))];
  const sizes = Array.from({ length: count }, (_, i) => Math.max(0, Math.min(size, extent - i * size)));
  return withInput(plain, 1, constant(sizes, e));
};

const pad: Downgrade = (n, e) => {
  const [pads, axes, rank] = [numbersAt(n, 1, e), numbersAt(n, 3, e), rankOf(n, 0)];
  if (n.inputs[3] === undefined) return n;
  if (!pads || !axes || rank === undefined) {
    e.needs(18, 'Pad along axes that only the run knows');
    return n;
  }
  const all = Array.from({ length: 2 * rank }, () => 0);
  axes.forEach((axis, i) => {
    const at = axis < 0 ? axis + rank : axis;
    all[at] = pads[i]!;
    all[at + rank] = pads[i + axes.length]!;
  });
  return withInput(withoutInput(n, 3), 1, constant(all, e));
};

const resize: Downgrade = (n, e) => {
  const policy = textOf(n, 'keep_aspect_ratio_policy') ?? 'stretch';
  if (isSet(n, 'antialias')) e.needs(18, 'Resize with antialiasing');
  if (policy !== 'stretch') e.needs(18, `Resize with the policy "${policy}"`);
  return resizeAllAxes(without(n, 'antialias', 'keep_aspect_ratio_policy'), e);
};

const scatterReduction = only(18, 'with this reduction', (n) =>
  /^(max|min)$/.test(textOf(n, 'reduction') ?? ''),
);

const mish: Downgrade = (n, e) => {
  const x = n.inputs[0];
  return { ...n, opType: 'Mul', inputs: [x, e.one('Tanh', [e.one('Softplus', [x])])] };
};

const gridSample: Downgrade = (n, e) => {
  if (rankOf(n, 0) === 5) e.needs(20, 'GridSample of volumes');
  const names: Readonly<Record<string, string>> = { linear: 'bilinear', cubic: 'bicubic' };
  const value = names[textOf(n, 'mode') ?? 'linear'];
  return value === undefined ? n : withAttribute(n, { name: 'mode', type: 'string', value });
};

const dft: Downgrade = (n, e) => {
  const axis = n.inputs[2] === undefined ? [-2] : numbersAt(n, 2, e);
  if (!axis) e.needs(20, 'DFT along an axis that only the run knows');
  const rank = rankOf(n, 0) ?? 0;
  const at = axis?.[0] ?? 1;
  return withAttribute(withoutInput(n, 2), {
    name: 'axis',
    type: 'int',
    value: BigInt(at < 0 ? at + rank : at),
  });
};

/** The type that an attribute names is that of a zero point since opset 10. */
const quantizeTo: Downgrade = (n, e) => {
  const plain = without(n, 'output_dtype', 'block_size');
  if (isSet(n, 'block_size')) e.needs(21, `${n.opType} in blocks`);
  const to = Number(attribute(n, 'output_dtype', 'int') ?? 0n);
  const scale = n.types[1];
  if (to === 0 || n.opType !== 'QuantizeLinear' || n.inputs[2] !== undefined) return plain;
  const shape = scale?.kind === 'tensor' ? scale.shape.map(Number) : undefined;
  const dtype = ({ 2: 'u8', 3: 'i8' } as const)[to];
  if (!shape?.every(Number.isInteger) || dtype === undefined) {
    e.needs(21, 'QuantizeLinear to this type');
    return plain;
  }
  const zeros = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0);
  return withInput(plain, 2, e.literal(literalOf(dtype, shape, zeros)));
};

/** IsInf and IsNaN of narrow floats. */
const asFloat: Downgrade = (n, e) =>
  ['f32', 'f64', undefined].includes(dtypeOf(n, 0))
    ? n
    : withInput(n, 0, e.one('Cast', [n.inputs[0]], { to: { kind: 'dtype', value: 'f32' } }));

const truthAsBytes: Downgrade = (n, e) => {
  if (dtypeOf(n, 0) !== 'bool') return n;
  const result = e.fresh();
  const bytes = e.one('Cast', [n.inputs[0]], { to: { kind: 'dtype', value: 'u8' } });
  e.finish('Cast', [result], n.outputs[0]!, { to: { kind: 'dtype', value: 'bool' } });
  return { ...withInput(n, 0, bytes), outputs: [result] };
};

const lpPool = only(
  18,
  'with dilations or rounding up',
  (n) => dilated(n) || isSet(n, 'ceil_mode'),
  drop('dilations', 'ceil_mode'),
);

/** Before a version these took no narrow floats: they compute in f32, as onnxruntime's kernels would. */
const widened =
  (numbers: readonly number[], narrow: RegExp = /^bf16$/): Downgrade =>
  (n, e) => {
    const type = n.inputs.map((_, i) => dtypeOf(n, i)).find((t) => t !== undefined && narrow.test(t));
    if (type === undefined) return n;
    const isNarrow = (i: number): boolean => [type, i === 0 ? undefined : type].includes(dtypeOf(n, i));
    const to = (value: DType) => ({ to: { kind: 'dtype', value } }) as const;
    const inputs = n.inputs.map((name, i) =>
      name !== undefined && isNarrow(i) ? e.one('Cast', [name], to('f32')) : name,
    );
    const outputs = n.outputs.map((name, i) => {
      if (name === '' || !numbers.includes(i)) return name;
      const wide = e.fresh();
      e.finish('Cast', [wide], name, to(type));
      return wide;
    });
    return { ...n, inputs, outputs };
  };

/** By the version in which an operator's form changed: how nodes of that version are written in the one before. */
export const downgrades: Readonly<Record<number, Readonly<Record<string, Downgrade>>>> = {
  28: {
    ...each('Compress Einsum OneHot ReverseSequence Unique', widened([0])),
    Celu: widened([0], /^b?f16$/),
  },
  27: { Range: widened([0], /^b?f16$/) },
  24: { ...each('Cast CastLike', drop('round_mode')), TopK: widened([0]) },
  23: {
    DequantizeLinear: only(
      23,
      'with a type of its own',
      (n) => isSet(n, 'output_dtype'),
      drop('output_dtype'),
    ),
    QuantizeLinear: only(23, 'with a precision', (n) => isSet(n, 'precision'), drop('precision')),
  },
  22: {
    ...each(
      'Acos Acosh Asin Asinh Atan Atanh AveragePool Conv ConvTranspose Cos Cosh DeformConv Det Elu GlobalAveragePool ' +
        'GlobalLpPool GlobalMaxPool GridSample HardSigmoid HardSwish InstanceNormalization LpNormalization LpPool ' +
        'MaxPool MaxRoiPool MaxUnpool Mish NegativeLogLikelihoodLoss RoiAlign Round Selu Sin Sinh Softplus Softsign ' +
        'Tan ThresholdedRelu',
      widened([0]),
    ),
    ...each('GRU LSTM RNN', widened([0, 1, 2])),
  },
  21: {
    ...each('DequantizeLinear QuantizeLinear', quantizeTo),
    GroupNormalization: only(21, 'with a scale for each channel', () => true),
  },
  20: {
    ...each('ReduceMax ReduceMin', truthAsBytes),
    IsInf: asFloat,
    DFT: dft,
    GridSample: gridSample,
  },
  19: {
    ...each('Cast CastLike QuantizeLinear', drop('saturate')),
    AveragePool: only(19, 'with dilations', dilated, drop('dilations')),
    Equal: only(19, 'of strings', (n) => dtypeOf(n, 0) === 'string'),
    Pad: only(19, 'that wraps around', (n) => textOf(n, 'mode') === 'wrap'),
    Resize: only(
      19,
      'with these coordinates',
      (n) => textOf(n, 'coordinate_transformation_mode') === 'half_pixel_symmetric',
    ),
  },
  18: {
    ...each(
      'ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare',
      reduce,
    ),
    ...each('ScatterElements ScatterND', scatterReduction),
    LpPool: lpPool,
    Mish: mish,
    Pad: pad,
    Resize: resize,
    Split: split,
  },
};
