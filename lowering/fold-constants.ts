import { isStatic, sameShape } from '../src/ir/dim.js';
import {
  type Graph,
  graph,
  input,
  is,
  type Node,
  symbolsMentioned,
  topological,
  transform,
  type Value,
} from '../src/ir/graph.js';
import { type Literal, literalOf } from '../src/ir/literal.js';
import type { Pass } from '../src/ir/pass.js';
import { bytesOf, type DType, type TensorType } from '../src/ir/type.js';
import { constant } from '../src/ops/constant.js';
import { type Content, contentShape, maxContent } from '../src/ops/content.js';
import { if_, loop, scan } from '../src/ops/control-flow.js';
import { foreign } from '../src/ops/foreign.js';
import { builder, type OpDef } from '../src/ops/op.js';
import { CompileError } from '../src/support/diagnostic.js';
import { elementCount } from '../src/support/tensor-data.js';
import { literalAt } from './literals.js';

/** A result may be this much larger than the constants it is made of, in bytes and as a factor. */
const growth = { bytes: 1 << 20, factor: 4.1 } as const;
/** Results that one evaluation yields together. */
const batchBytes = 64 << 20;

/**
 * Replaces what depends on constants alone by its value: dequantised weights, position tables, masks,
 * shapes. Few elements are computed here; the rest is handed to `evaluate`, which runs it on
 * onnxruntime. What is much larger than the constants it comes from, such as an expanded scalar, is left to
 * run, as is whatever cannot be evaluated. Runs after simplification, so that shapes are known and tables
 * that are only looked up in are not computed as a whole.
 */
export const foldConstants = (evaluate: (g: Graph) => Promise<readonly Literal[]>): Pass => ({
  name: 'fold-constants',
  run: async (g) => {
    const small = transform(g, (node) => contentOf(node));
    const roots = rootsOf(small);
    const known = new Map<Value, Literal>();
    for (const batch of batches(roots)) if (!(await evaluateAll(batch, evaluate, known))) break;
    if (known.size === 0) return small;
    return transform(small, (node) => {
      const literals = node.outputs.map((v) => known.get(v));
      if (!literals.some((l) => l !== undefined)) return undefined;
      const b = builder(node.origin);
      return node.outputs.map((v, i) => {
        const value = literals[i];
        return value ? b(constant, [], { value }) : v;
      });
    });
  },
});

/** The results of a node over few constant elements, computed by its operator. */
function contentOf(node: Node): readonly Value[] | undefined {
  const { evaluate } = node.op as OpDef;
  if (!evaluate || node.inputs.length === 0 || node.outputs.length !== 1) return undefined;
  const [type] = node.outputs.map((v) => v.type as TensorType);
  if (!contentShape(type!.shape) || !made.has(type!.dtype)) return undefined;
  const inputs = node.inputs.map(known);
  if (inputs.some((c) => c === undefined)) return undefined;
  const content = evaluate(inputs, node.attrs, [type!]);
  if (!content || content.dtype !== type!.dtype || !isStatic(content.data)) return undefined;
  if (!sameShape(content.shape, type!.shape)) return undefined;
  const value = literalOf(content.dtype, content.shape, content.data);
  return [builder(node.origin)(constant, [], { value })];
}

/** Types whose elements numbers hold, and that rounding keeps as the operators would. */
const made: ReadonlySet<DType> = new Set(['f32', 'f64', 'i64', 'i32', 'bool'] as const);

function known(v: Value): Content | undefined {
  const l = literalAt(v);
  if (!l || l.size > maxContent || !made.has(l.dtype)) return undefined;
  return (constant as OpDef<{ value: Literal }>).evaluate?.([], { value: l }, [l.type]);
}

const random = /^(Random|Multinomial|Bernoulli|Dropout)/;

/** Whether a node yields the same whenever it runs, and nothing else. */
function isPure(n: Node): boolean {
  if (is(n, input) || is(n, if_) || is(n, loop) || is(n, scan)) return false;
  if (is(n, foreign) && (random.test(n.attrs.opType) || n.attrs.captured > 0)) return false;
  return n.outputs.every(
    (v) => v.type.kind === 'tensor' && v.type.dtype !== 'string' && isStatic(v.type.shape),
  );
}

const bytesOfValue = (v: Value): number => {
  const { dtype, shape } = v.type as TensorType;
  return bytesOf(dtype, elementCount(shape as readonly number[]));
};

/** The values to compute: made of constants alone, and read by what is not. */
function rootsOf(g: Graph): readonly Value[] {
  const leaves = new Map<Node, ReadonlySet<Literal>>();
  for (const n of topological(g)) {
    if (is(n, constant)) {
      leaves.set(n as unknown as Node, new Set([n.attrs.value]));
      continue;
    }
    if (n.inputs.length === 0 || !isPure(n) || symbolsMentioned(n).size > 0) continue;
    const below = n.inputs.map((v) => leaves.get(v.node));
    if (below.some((s) => s === undefined)) continue;
    const all = new Set(below.flatMap((s) => [...s!]));
    const from = [...all].reduce((sum, l) => sum + l.byteLength, 0);
    const to = n.outputs.reduce((sum, v) => sum + bytesOfValue(v), 0);
    if (to <= Math.max(growth.bytes, growth.factor * from)) leaves.set(n, all);
  }
  const roots = new Set<Value>();
  const want = (v: Value): void => {
    if (leaves.has(v.node) && !is(v.node, constant)) roots.add(v);
  };
  for (const n of topological(g)) if (!leaves.has(n)) n.inputs.forEach(want);
  g.outputs.forEach(want);
  for (const { value } of g.bindings.values()) want(value);
  return [...roots];
}

function batches(roots: readonly Value[]): readonly (readonly Value[])[] {
  const out: Value[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const v of roots) {
    bytes += bytesOfValue(v);
    if (bytes > batchBytes) {
      out.push([]);
      bytes = bytesOfValue(v);
    }
    out.at(-1)!.push(v);
  }
  return out;
}

/**
 * Evaluates values together, and one by one when that fails: one that cannot be evaluated spoils no other. False
 * when one of them takes too long, as the next ones might: an endless one costs its time limit once.
 */
async function evaluateAll(
  values: readonly Value[],
  evaluate: (g: Graph) => Promise<readonly Literal[]>,
  known: Map<Value, Literal>,
): Promise<boolean> {
  let results: readonly Literal[];
  try {
    results = await evaluate(graph([], values));
  } catch (e) {
    if (e instanceof Error && e.name === 'AbortError') throw e;
    if (values.length === 1) return !(e instanceof CompileError && e.code === 'reference-timeout');
    for (const v of values) if (!(await evaluateAll([v], evaluate, known))) return false;
    return true;
  }
  values.forEach((v, i) => {
    const l = results[i];
    const type = v.type as TensorType;
    if (l?.dtype === type.dtype && sameShape(l.shape, type.shape)) known.set(v, l);
  });
  return true;
}
