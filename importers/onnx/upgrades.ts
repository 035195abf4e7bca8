import {
  attribute,
  dtypeOf,
  intsToInput,
  rankOf,
  type Upgrade,
  withAttribute,
  withInput,
  without,
} from './upgrade.js';

const drop =
  (...names: readonly string[]): Upgrade =>
  (n) =>
    without(n, ...names);

const each = (names: string, step: Upgrade): Readonly<Record<string, Upgrade>> =>
  Object.fromEntries(names.split(' ').map((name) => [name, step]));

const axesToInput: Upgrade = (n, e) => intsToInput(n, 'axes', 1, e);

/** Before opset 7 the second operand was broadcast only when asked, from a given axis on. */
const broadcast: Upgrade = (n, e) => {
  const axis = attribute(n, 'axis', 'int');
  const plain = without(n, 'broadcast', 'axis');
  if (attribute(n, 'broadcast', 'int') !== 1n || axis === undefined) return plain;
  const [a, b] = [rankOf(n, 0), rankOf(n, 1)];
  if (a === undefined || b === undefined) return undefined;
  const at = axis < 0n ? Number(axis) + a : Number(axis);
  const trailing = Array.from({ length: a - at - b }, (_, i) => b + i);
  if (trailing.length === 0) return plain;
  const axes = e.constant('i64', [trailing.length], trailing);
  return withInput(plain, 1, e.one('Unsqueeze', [n.inputs[1], axes]));
};

/** Before opset 13 these worked on the tensor flattened to a matrix at `axis`. */
const flattened: Upgrade = (n, e) => {
  const axis = Number(attribute(n, 'axis', 'int') ?? 1n);
  const rank = rankOf(n, 0);
  const last = { name: 'axis', type: 'int', value: -1n } as const;
  if (axis === -1 || axis + 1 === rank) return withAttribute(n, last);
  const shape = e.one('Shape', [n.inputs[0]]);
  const flat = e.one('Flatten', [n.inputs[0]], { axis: { kind: 'int', value: axis } });
  const result = e.fresh();
  e.finish('Reshape', [result, shape], n.outputs[0]!);
  return { ...withAttribute(withInput(n, 0, flat), last), outputs: [result] };
};

const resizeLike: Upgrade = (n, e) => {
  const mode = attribute(n, 'mode', 'string') ?? 'nearest';
  const named = withAttribute(
    withAttribute(n, { name: 'coordinate_transformation_mode', type: 'string', value: 'asymmetric' }),
    { name: 'mode', type: 'string', value: mode === 'bilinear' ? 'linear' : mode },
  );
  const rounded = withAttribute(named, { name: 'nearest_mode', type: 'string', value: 'floor' });
  return { ...rounded, opType: 'Resize', inputs: [n.inputs[0], e.constant('f32', [0], []), n.inputs[1]] };
};

const clip: Upgrade = (n, e) => {
  const type = dtypeOf(n, 0);
  const low = attribute(n, 'min', 'float');
  const high = attribute(n, 'max', 'float');
  if (low === undefined && high === undefined) return n;
  if (type === undefined) return undefined;
  const bound = (x: number | undefined): string | undefined =>
    x === undefined ? x : e.constant(type, [], [x]);
  return withInput(withInput(without(n, 'min', 'max'), 1, bound(low)), 2, bound(high));
};

const pad: Upgrade = (n, e) => {
  const type = dtypeOf(n, 0);
  const value = attribute(n, 'value', 'float') ?? 0;
  if (type === undefined && value !== 0) return undefined;
  const fill = value === 0 || type === undefined ? undefined : e.constant(type, [], [value]);
  return withInput(without(intsToInput(n, 'pads', 1, e), 'value'), 2, fill);
};

const slice: Upgrade = (n, e) =>
  intsToInput(intsToInput(intsToInput(n, 'starts', 1, e), 'ends', 2, e), 'axes', 3, e);

const split: Upgrade = (n) =>
  n.inputs[1] === undefined
    ? withAttribute(n, { name: 'num_outputs', type: 'int', value: BigInt(n.outputs.length) })
    : n;

const topK: Upgrade = (n, e) => {
  const k = attribute(n, 'k', 'int');
  return k === undefined ? undefined : withInput(without(n, 'k'), 1, e.constant('i64', [1], [k]));
};

const castByName: Upgrade = (n) => {
  const names =
    'UNDEFINED FLOAT UINT8 INT8 UINT16 INT16 INT32 INT64 STRING BOOL FLOAT16 DOUBLE UINT32 UINT64'.split(' ');
  const to = names.indexOf(attribute(n, 'to', 'string') ?? '');
  return to < 1 ? undefined : withAttribute(n, { name: 'to', type: 'int', value: BigInt(to) });
};

const concatAxis: Upgrade = (n) =>
  attribute(n, 'axis', 'int') === undefined ? withAttribute(n, { name: 'axis', type: 'int', value: 1n }) : n;

const reshapeByAttribute: Upgrade = (n, e) => intsToInput(without(n, 'consumed_inputs'), 'shape', 1, e);

/** Only the results of inference are the same ones. */
const batchNorm: Upgrade = (n) =>
  n.outputs.slice(1).some((o) => o !== '')
    ? undefined
    : { ...without(n, 'is_test', 'consumed_inputs', 'momentum'), outputs: n.outputs.slice(0, 1) };

const batchNormPerChannel: Upgrade = (n) =>
  attribute(n, 'spatial', 'int') === 0n ? undefined : without(n, 'spatial');

const roiAlign: Upgrade = (n) =>
  withAttribute(n, { name: 'coordinate_transformation_mode', type: 'string', value: 'output_half_pixel' });

const gridSample: Upgrade = (n) => {
  const mode = attribute(n, 'mode', 'string');
  const names: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' };
  const value = names[mode ?? ''];
  return value === undefined ? n : withAttribute(n, { name: 'mode', type: 'string', value });
};

const dft: Upgrade = (n, e) =>
  withInput(without(n, 'axis'), 2, e.constant('i64', [], [attribute(n, 'axis', 'int') ?? 1n]));

const slopeByChannel: Upgrade = (n, e) => {
  const [x, slope] = [rankOf(n, 0), rankOf(n, 1)];
  if (x === undefined || slope === undefined) return undefined;
  if (slope !== 1 || x <= 2) return n;
  const axes = Array.from({ length: x - 2 }, (_, i) => i + 1);
  return withInput(n, 1, e.one('Unsqueeze', [n.inputs[1], e.constant('i64', [axes.length], axes)]));
};

const none: Upgrade = () => undefined;

/** By the version in which an operator's form changed: how nodes of the version before are written from then on. */
export const upgrades: Readonly<Record<number, Readonly<Record<string, Upgrade>>>> = {
  4: { Concat: concatAxis },
  5: { Reshape: reshapeByAttribute },
  6: {
    ...each(
      'Abs Add BatchNormalization Ceil Clip Div Dropout Elu Exp Floor HardSigmoid InstanceNormalization LeakyRelu ' +
        'Log Max Mean Min Mul Neg PRelu Reciprocal Relu Selu Sigmoid Sqrt Sub Sum Tanh',
      drop('consumed_inputs'),
    ),
    Cast: castByName,
    Gemm: drop('broadcast'),
    Tile: none,
  },
  7: {
    ...each('Add And Div Equal Greater Less Mul Or Pow Sub Xor', broadcast),
    ...each('GRU LSTM RNN', drop('output_sequence')),
    BatchNormalization: batchNorm,
    Dropout: drop('is_test'),
    Gemm: drop('broadcast'),
    PRelu: slopeByChannel,
    Upsample: none,
  },
  9: {
    BatchNormalization: batchNormPerChannel,
    Scan: none,
    Upsample: (n, e) => {
      const scales = attribute(n, 'scales', 'floats');
      return scales && withInput(without(n, 'scales'), 1, e.constant('f32', [scales.length], scales));
    },
  },
  10: { Slice: slice, TopK: topK, Upsample: (n) => ({ ...n, opType: 'Resize' }) },
  11: {
    Clip: clip,
    Pad: pad,
    Resize: resizeLike,
    Scatter: (n) => ({ ...n, opType: 'ScatterElements' }),
  },
  12: { Dropout: drop('ratio') },
  13: {
    ...each('Hardmax LogSoftmax Softmax', flattened),
    ...each('ReduceSum Squeeze Unsqueeze', axesToInput),
    Split: (n, e) => intsToInput(n, 'split', 1, e),
  },
  14: { BatchNormalization: batchNorm },
  16: { RoiAlign: roiAlign },
  18: {
    ...each(
      'ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare',
      axesToInput,
    ),
    Split: split,
  },
  20: { DFT: dft, GridSample: gridSample },
  21: { GroupNormalization: none },
};
