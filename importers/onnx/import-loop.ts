import type { Value } from '../../src/ir/graph.js';
import { loop } from '../../src/ops/control-flow.js';
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
import type { Site } from './nodes.js';

export function importLoop(site: Site): readonly Value[] {
  const [count, condition, ...rest] = site.inputs;
  const states = rest.map((_, i) => inputOf(site, i + 2));
  const scalar = (dtype: 'i64' | 'bool'): Open => ({ kind: 'open', dtype, dims: [] });
  const proto = graphAttribute(site, 'body');
  const formals = [scalar('i64'), scalar('bool'), ...states.map((v) => stateType(v.type))];
  const body = importWithStates(site, proto, formals, 2, states.length, 1);
  expectResults(site, body.outputs.length - 1);
  const types = body.outputs.slice(1).map((v, i): Open => {
    const after = outside(v.type, body.internal);
    const before = states[i];
    if (before) return common(outside(before.type, new Set()), after);
    return after.kind === 'opaque' ? after : { ...after, dims: [undefined, ...after.dims] };
  });
  const given = [...[count, condition].filter((v) => v !== undefined), ...states];
  return emitWithBodies(site, loop, given, [body], types, ([graph]) => ({
    body: graph!,
    hasCount: count !== undefined,
    hasCondition: condition !== undefined,
  }));
}
