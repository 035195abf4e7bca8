import { type OpaqueType, showType, type ValueType } from '../../src/ir/type.js';
import type { Graph, TypeProto } from '../../src/onnx/types.js';
import type { Context, OpenType } from './context.js';
import { dtypeOfProto, opaque, textOf } from './type-proto.js';

/** The types a graph declares for its values, results included. */
export const declaredTypes = (g: Graph): ReadonlyMap<string, TypeProto> =>
  new Map(
    [...g.valueInfo, ...g.output].flatMap(({ name, type }): [string, TypeProto][] =>
      type ? [[name, type]] : [],
    ),
  );

/** The declarations inside an inlined graph, where its results lack one completed by those of the results' new names. */
export function withResults(
  inner: ReadonlyMap<string, TypeProto>,
  results: readonly string[],
  outer: ReadonlyMap<string, TypeProto>,
  names: readonly string[],
): ReadonlyMap<string, TypeProto> {
  const all = new Map(inner);
  results.forEach((name, i) => {
    const known = outer.get(names[i] ?? '');
    if (known && !all.get(name)?.tensorType?.shape) all.set(name, known);
  });
  return all;
}

/** A declared type. Extents that are neither numbers nor dimensions of the model's inputs stay open. */
export function openTypeOf(type: TypeProto | undefined, ctx: Context): OpenType | OpaqueType | undefined {
  if (type === undefined) return undefined;
  const dtype = type.tensorType && dtypeOfProto(type.tensorType.elemType);
  const shape = type.tensorType?.shape;
  if (dtype === undefined || shape === undefined) return opaque(textOf(type));
  return {
    kind: 'open',
    dtype,
    dims: shape.dim.map((d) => {
      if (d.dimValue !== undefined) return d.dimValue >= 0 ? d.dimValue : undefined;
      return d.dimParam === undefined ? undefined : ctx.symbols.known(d.dimParam);
    }),
  };
}

/** How a declared type contradicts the inferred one, or undefined. */
export function contradiction(declared: TypeProto, inferred: ValueType): string | undefined {
  const tensor = declared.tensorType;
  const dtype = tensor && dtypeOfProto(tensor.elemType);
  if (inferred.kind === 'opaque' || !dtype) return undefined;
  const dims = tensor.shape?.dim;
  const agrees =
    dtype === inferred.dtype &&
    (dims === undefined ||
      (dims.length === inferred.shape.length &&
        dims.every(({ dimValue }, i) => {
          const d = inferred.shape[i];
          return dimValue === undefined || dimValue < 0 || typeof d !== 'number' || d === dimValue;
        })));
  return agrees ? undefined : `declared as ${textOf(declared)} but is ${showType(inferred)}`;
}
