import type { Dim } from '../../src/ir/dim.js';
import { inputValue, type Value } from '../../src/ir/graph.js';
import { tensor, type ValueType } from '../../src/ir/type.js';
import { scan } from '../../src/ops/control-flow.js';
import { attributeOf } from './attributes.js';
import { outside } from './bodies.js';
import {
  common,
  emitWithBodies,
  expectResults,
  graphAttribute,
  importWithStates,
  inputOf,
  type Open,
  stateType,
} from './body-types.js';
import type { OpenType } from './context.js';
import { Malformed } from './malformed.js';
import type { Site } from './nodes.js';
import { Region, Scope } from './scope.js';
import { unknownType } from './type-proto.js';

export function importScan(site: Site): readonly Value[] {
  const { attributes } = site;
  const given = site.inputs.map((_, i) => inputOf(site, i));
  const scanned = Number(attributeOf(attributes, 'num_scan_inputs', 'int')?.i ?? 0n);
  if (scanned < 1 || scanned > given.length)
    throw new Malformed('bad-attribute', `num_scan_inputs is ${scanned} for ${given.length} inputs`);
  const states = given.length - scanned;
  const list = (name: string, length: number): readonly number[] => {
    const values = attributeOf(attributes, name, 'ints')?.ints.map(Number) ?? [];
    return Array.from({ length }, (_, i) => values[i] ?? 0);
  };
  const inputAxes = list('scan_input_axes', scanned);
  const formals = given.map((v, i) =>
    i < states ? stateType(v.type) : sliceType(v.type, inputAxes[i - states]!),
  );
  const body = importWithStates(site, graphAttribute(site, 'body'), formals, 0, states, 0);
  expectResults(site, body.outputs.length);
  const stacked = body.outputs.length - states;
  const length = extent(given[states]!.type, inputAxes[0]!);
  const outputAxes = list('scan_output_axes', stacked);
  const types = body.outputs.map((v, i): Open => {
    const after = outside(v.type, body.internal);
    if (i < states) return common(outside(given[i]!.type, new Set()), after);
    return after.kind === 'opaque'
      ? after
      : { ...after, dims: inserted(after.dims, outputAxes[i - states]!, length) };
  });
  return emitWithBodies(site, scan, given, [body], types, ([graph]) => ({
    body: graph!,
    scanned,
    inputAxes,
    inputDirections: list('scan_input_directions', scanned),
    outputAxes,
    outputDirections: list('scan_output_directions', stacked),
  }));
}

/**
 * Before version 9 a Scan had a batch axis, and ran for each sample: a Scan over samples of a Scan.
 * With sequences of different lengths it stays as it is.
 */
export function importBatchedScan(site: Site): readonly Value[] | undefined {
  const { ctx, node, scope, inputs, attributes } = site;
  if (inputs[0]) return undefined;
  const given = inputs.slice(1).map((_, i) => inputOf(site, i + 1));
  const region = new Region(scope.region, (inner, outer) => ctx.adopt(inner, outer));
  const samples = given.map(({ type }, i) => {
    const known = type.kind === 'tensor' && type.shape.length > 0;
    return inputValue(`sample_${i}`, known ? tensor(type.dtype, type.shape.slice(1)) : unknownType);
  });
  const directions = attributes.get('directions');
  const outputs = importScan({
    ...site,
    node: { ...node, input: node.input.slice(1) },
    inputs: samples,
    scope: new Scope(scope, region, new Map()),
    attributes: directions ? new Map([...attributes, ['scan_input_directions', directions]]) : attributes,
  });
  const internal = new Set(region.bindings.keys());
  const outputNames = outputs.map((_, i) => `result_${i}`);
  const body = { region, inputs: samples, outputs, outputNames, internal };
  const batch = extent(given[0]!.type, 0);
  const types = outputs.map((v): Open => {
    const one = outside(v.type, internal);
    return one.kind === 'opaque' ? one : { ...one, dims: [batch, ...one.dims] };
  });
  const zeros = given.map(() => 0);
  const none = outputs.map(() => 0);
  return emitWithBodies(site, scan, given, [body], types, ([graph]) => ({
    body: graph!,
    scanned: given.length,
    inputAxes: zeros,
    inputDirections: zeros,
    outputAxes: none,
    outputDirections: none,
  }));
}

function sliceType(t: ValueType, axis: number): Open {
  if (t.kind === 'opaque') return unknownType;
  const at = axis < 0 ? axis + t.shape.length : axis;
  return { kind: 'open', dtype: t.dtype, dims: t.shape.filter((_, i) => i !== at) };
}

const extent = (t: ValueType, axis: number): Dim | undefined =>
  t.kind === 'tensor' ? t.shape.at(axis) : undefined;

function inserted(dims: OpenType['dims'], axis: number, extent: Dim | undefined): OpenType['dims'] {
  const at = axis < 0 ? axis + dims.length + 1 : axis;
  return [...dims.slice(0, at), extent, ...dims.slice(at)];
}
