import { emit, type Value } from '../../src/ir/graph.js';
import { loop } from '../../src/ops/control-flow.js';
import { closeBodies, outside } from './bodies.js';
import {
  common,
  declaredOr,
  expectResults,
  graphAttribute,
  hint,
  importWithStates,
  inputOf,
  type Open,
  stateType,
} from './body-types.js';
import type { Site } from './nodes.js';

export function importLoop(site: Site): readonly Value[] {
  const { ctx, scope, inputs, origin } = site;
  const [count, condition, ...rest] = inputs;
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
  const { graphs, captured } = closeBodies(ctx, [body], origin);
  return ctx.settle(
    declaredOr(site, types),
    hint(site),
    scope.region,
    (outputs) =>
      emit(
        loop,
        [...[count, condition].filter((v) => v !== undefined), ...states, ...captured],
        {
          body: graphs[0]!,
          hasCount: count !== undefined,
          hasCondition: condition !== undefined,
          captured: captured.length,
          outputs,
        },
        origin,
      ).outputs,
    origin,
  );
}
