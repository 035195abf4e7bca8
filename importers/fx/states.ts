import type { Value } from '../../src/ir/graph.js';
import { CompileError } from '../../src/support/diagnostic.js';
import type { Export } from '../pt2/archive.js';
import { isObject } from '../pt2/json.js';
import type { Region } from './region.js';
import { type Fields, listOf, unionOf } from './schema.js';

/** Throws when the program changes a tensor in place whose memory another one shares: nobody tells the other. */
export function refuseSharedState(
  region: Region,
  signature: Fields,
  file: Export,
  before: ReadonlyMap<string, Value>,
): void {
  const known = new Map<string, string>();
  const changed = new Map<string, string>();
  for (const item of listOf(signature.input_specs, 'the signature')) {
    const [kind, value] = unionOf(item, 'an input');
    const spec = isObject(value) ? value : {};
    const fqn = spec.parameter_name ?? spec.buffer_name ?? spec.tensor_constant_name;
    const own = isObject(spec.arg) ? spec.arg.name : undefined;
    if (typeof fqn !== 'string' || typeof own !== 'string') continue;
    const where = kind === 'tensor_constant' || spec.persistent === false ? 'constants' : 'weights';
    const storage = file.storage?.(where, fqn);
    if (storage === undefined) continue;
    const other = known.get(storage);
    const isChanged = region.has(own) && region.value(own) !== before.get(own);
    const culprit = changed.get(storage) ?? (isChanged && other !== undefined ? fqn : undefined);
    if (culprit !== undefined && other !== undefined)
      throw new CompileError(
        'unsupported-form',
        `"${culprit}" is changed in place and shares its memory with "${culprit === fqn ? other : fqn}"`,
        'give each of them memory of its own before the export: .clone()',
      );
    known.set(storage, fqn);
    if (isChanged) changed.set(storage, fqn);
  }
}

export interface State {
  readonly name: string;
  readonly value: Value;
}

/**
 * What the program changes: after decomposition it says so itself, before it writes to its inputs in place. Results
 * come in the order of the inputs.
 */
export function statesOf(
  region: Region,
  signature: Fields,
  before: ReadonlyMap<string, Value>,
): readonly State[] {
  const specs = (key: string): readonly (readonly [string, Fields])[] =>
    listOf(signature[key], 'the signature').map((s) => {
      const [kind, spec] = unionOf(s, 'the signature');
      return [kind, isObject(spec) ? spec : {}];
    });
  const said = new Map<string, Value>();
  for (const [kind, spec] of specs('output_specs')) {
    const target = spec.buffer_name ?? spec.user_input_name ?? spec.parameter_name;
    const v = kind.endsWith('_mutation')
      ? region.operand(
          { as_tensor: spec.arg ?? null },
          { format: 'fx', name: String(target), opType: 'output' },
        )
      : undefined;
    if (v && typeof target === 'string') said.set(target, v);
  }
  return specs('input_specs').flatMap(([, spec]): readonly State[] => {
    const arg = isObject(spec.arg) && 'as_tensor' in spec.arg ? spec.arg.as_tensor : spec.arg;
    const own = isObject(arg) && typeof arg.name === 'string' ? arg.name : undefined;
    if (own === undefined || !region.has(own)) return [];
    const target = String(spec.buffer_name ?? spec.parameter_name ?? spec.tensor_constant_name ?? own);
    const now = said.get(target) ?? region.value(own);
    return now === before.get(own) ? [] : [{ name: `state.${target}`, value: now }];
  });
}
