import { CompileError } from '../../src/support/diagnostic.js';
import { resultNames } from './aten-node.js';
import { higherOrder } from './control-flow.js';
import { decomposed } from './decompositions.js';
import type { Region } from './region.js';
import { type ProgramNode, unionOf } from './schema.js';

/** Checks that leave nothing to compute in a program that was exported successfully. */
const checks = /^aten\.(_assert_\w+|_assert_async|sym_constrain_range\w*|_assert_tensor_metadata)\b/;
/** Arithmetic on sizes: the results are declared as expressions. */
const sizeArithmetic =
  /^(_operator\.|math\.|torch\.sym_|builtins\.|aten\.sym_(size|stride|numel|storage_offset)\b)/;

/** Converts the nodes of a graph whose inputs are defined. Problems are collected, so that all are told at once. */
export function importNodes(region: Region): void {
  for (const node of region.graph.nodes) importNode(region, node);
}

const targetOf = (node: ProgramNode): string => node.target.replace(/^torch\.ops\./, '');

function importNode(region: Region, node: ProgramNode): void {
  const target = targetOf(node);
  if (checks.test(target) || sizeArithmetic.test(target)) return;
  const { problems, converters } = region.shared;
  try {
    const steps = decomposed(region, node, target);
    if (steps) {
      for (const step of steps) importNode(region, step);
      return;
    }
    if (target.startsWith('higher_order.')) {
      higherOrder(region, node, target.slice('higher_order.'.length));
      return;
    }
    if (/^aten\.(item|_local_scalar_dense)\b/.test(target)) {
      scalarOfTensor(region, node);
      return;
    }
    const name = target.replace(/^aten\./, '');
    const plain = name.replace(/^((?!__)\w*[a-zA-Z0-9])_\./, '$1.').replace(/\.default$/, '');
    if (!converters.has(plain)) {
      problems.push(`${target}${place(node)}`);
      region.placeholder(node);
      return;
    }
    region.convert(node, name);
    const origin = region.originOf(node);
    for (const r of resultNames(node.outputs))
      if (r !== undefined && region.has(r)) region.settle(region.value(r), origin);
  } catch (e) {
    if (!(e instanceof CompileError)) throw e;
    // What goes wrong behind a stand-in may be its fault alone.
    if (collected.has(e.code))
      problems.push(`${target}${place(node)}: ${e.message}${e.hint === undefined ? '' : `; ${e.hint}`}`);
    else if (problems.length === 0) throw e;
    region.placeholder(node);
  }
}

const collected = new Set(['unsupported-form', 'missing-argument', 'type-mismatch', 'bad-node']);

const place = (node: ProgramNode): string =>
  ` ("${node.name}"${node.path === '' ? '' : ` in module "${node.path}"`})`;

/** A number read out of a tensor becomes a size. */
function scalarOfTensor(region: Region, node: ProgramNode): void {
  const v = region.operand(node.inputs[0]!.arg, region.originOf(node));
  const [form, value] = unionOf(node.outputs[0], 'a result');
  if (!v || (form !== 'as_sym_int' && form !== 'as_sym_bool'))
    throw new CompileError('unsupported-form', 'a number that is not whole is read out of a tensor');
  const extent = region.sizeArgument(form, value);
  if (extent !== undefined) region.bind(extent, v, 0);
}
