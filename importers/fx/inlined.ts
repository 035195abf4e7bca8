import type { Value } from '../../src/ir/graph.js';
import { CompileError } from '../../src/support/diagnostic.js';
import type { Json } from '../pt2/json.js';
import { resultNames } from './aten-node.js';
import { importNodes } from './nodes.js';
import { Region, tensorName } from './region.js';
import { fieldsOf, type ProgramGraph, type ProgramNode, textOf, unionOf } from './schema.js';

/**
 * Puts a graph where its call stands: its names are its own, its sizes those around it. What it does in place to its
 * operands happens to them, and a result that shares memory with one of them goes on doing so.
 */
export function inlined(region: Region, node: ProgramNode, g: ProgramGraph, operands: readonly Json[]): void {
  const origin = region.originOf(node);
  const inner = new Region(region.shared, g, region.sizes, origin.name, region);
  if (g.inputs.length !== operands.length)
    throw new CompileError(
      'bad-program',
      `a graph of "${origin.name}" takes ${g.inputs.length} values and is given ${operands.length}`,
    );
  const given: { readonly inside: string; readonly outside: string | undefined; readonly value: Value }[] =
    [];
  g.inputs.forEach((input, i) => {
    const [form, value] = unionOf(input, 'an input');
    if (form !== 'as_tensor') return;
    const v = region.operand(operands[i]!, origin);
    if (!v) throw new CompileError('bad-program', `operand ${i} of "${origin.name}" is no tensor`);
    const inside = textOf(fieldsOf(value, 'an input').name, 'an input');
    inner.define(inside, v);
    given.push({ inside, outside: tensorName(operands[i]!), value: v });
  });
  importNodes(inner);
  for (const { inside, outside, value } of given)
    if (outside !== undefined && inner.value(inside) !== value)
      region.mutate(outside, inner.value(inside), origin);

  const known = new Map(given.map(({ inside, outside }) => [inside, outside]));
  const results = g.outputs.map((o) => inner.operand(o, inner.originOf(node)));
  resultNames(node.outputs).forEach((name, i) => {
    const v = results[i];
    if (name === undefined || !v) return;
    region.define(name, v);
    const inside = tensorName(g.outputs[i]!);
    if (inside === undefined) return;
    const { root, exact } = inner.rootOf(inside);
    const outside = known.get(root);
    if (outside !== undefined) region.share(name, outside, exact);
    else known.set(root, name);
  });
}
