import type { Value } from '../../src/ir/graph.js';
import type { FunctionProto } from '../../src/onnx/types.js';
import { CompileError } from '../../src/support/diagnostic.js';
import type { Attributes } from './attributes.js';
import { withResults } from './declared.js';
import { type Frame, opsetsOf, placeOf } from './frame.js';
import { Malformed } from './malformed.js';
import { importNode, type Site } from './nodes.js';
import { sorted } from './order.js';
import { Scope } from './scope.js';

/** Replaces a call of one of the model's own functions by the function's nodes. */
export function inlineFunction(site: Site, fn: FunctionProto): readonly Value[] {
  const { ctx, node, scope, frame, inputs, attributes, origin } = site;
  if (frame.active.includes(fn))
    throw new Malformed('recursive-function', `the function "${fn.name}" calls itself`);
  if (inputs.length > fn.input.length || node.output.length > fn.output.length)
    throw new Malformed(
      'bad-call',
      `the function "${fn.name}" has ${fn.input.length} inputs and ${fn.output.length} outputs, ` +
        `not ${inputs.length} and ${node.output.length}`,
    );
  const declared = new Map(fn.valueInfo.flatMap(({ name, type }) => (type ? [[name, type] as const] : [])));
  const inner = new Scope(
    undefined,
    scope.region,
    withResults(declared, fn.output, scope.declared, node.output),
  );
  fn.input.forEach((name, i) => {
    inner.define(name, inputs[i] ?? 'absent');
  });
  const own = opsetsOf(fn.opsetImport, ctx);
  const call: Frame = {
    opsets: new Map([...frame.opsets, ...own]),
    attributes: withDefaults(attributes, fn),
    path: [origin.name],
    active: [...frame.active, fn],
  };
  for (const part of sorted(fn.node)) {
    ctx.countNode();
    CompileError.within(placeOf(part, call), () => importNode(ctx, part, inner, call));
  }
  return fn.output.map((name, i) => {
    const v = inner.lookup(name);
    if (v !== undefined && v !== 'absent') return v;
    if ((node.output[i] ?? '') === '') return undefined as never;
    throw new Malformed(
      'unknown-value',
      `nothing computes the result "${name}" of the function "${fn.name}"`,
    );
  });
}

const withDefaults = (given: Attributes, fn: FunctionProto): Attributes =>
  new Map([...fn.attributeProto.map((a) => [a.name, a] as const), ...given]);
