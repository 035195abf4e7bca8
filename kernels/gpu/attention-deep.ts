import { Cpp, cpp, ctype } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch } from '../../codegen/gpu/builder.js';
import type { GpuTarget } from '../../codegen/target.js';
import { type Dim, mul } from '../../src/ir/dim.js';
import { dtypeOf } from '../../src/ir/graph.js';
import { alignedInput, alignedOutput, hostAddress, withCopies } from './aligned.js';
import { type Attention, headShapes, isWhole, type Operands, stepsOf } from './attention-operands.js';
import { noEpilogue } from './epilogue.js';
import { type MatrixOperand, productLaunches } from './product.js';
import { rowGroups } from './row-groups.js';
import { atMost, isMultiple } from './vector-width.js';

/** Bytes that scores may take in memory. */
const mostScores = 2 ** 30;

/** Whether deepLaunches computes this attention: if nothing but the scale comes between the products. */
export function isDeep(node: Attention, target: GpuTarget): boolean {
  const { attrs } = node;
  const type = dtypeOf(node.inputs[0]!);
  if (type !== 'f16' && type !== 'bf16') return false;
  const [q, k, v] = headShapes(node);
  const simple = !attrs.mask && !attrs.lengths && !attrs.window && attrs.softcap === 0;
  const oneByOne = q[1] === k[1] && (q[1] === 1 || !attrs.rowsFirst[3]);
  const whole = isWhole(node) && [q[3]!, v[3]!, k[2]!].every((d) => isMultiple(d, 8));
  const rows = mul(...q.slice(0, 3));
  const fits = 2 * atMost(mul(rows, k[2]!)) <= mostScores;
  return simple && oneByOne && whole && fits && rowGroups([type], rows, k[2]!, target) !== undefined;
}

/**
 * Attention whose heads are too deep for sums of them to stay in registers: scores, probabilities and results are made
 * one after the other.
 */
export function deepLaunches(node: Attention, a: Operands, k: GpuBuilder): readonly Launch[] {
  const { attrs, type } = a;
  const scores = mul(a.batch, a.heads, a.queries, a.keys);
  const groups = rowGroups([type], mul(a.batch, a.heads, a.queries), a.keys, k.target)!;
  const t = ctype[type];
  const memory = k.scratch(t, cpp`${k.fresh(scores)} * 2`);
  k.include('ait/gpu/softmax.h', 'ait/gpu/contraction.h');
  k.helper(cpp`
    struct Scaled {
      using Result = float;
      float scale;
      template <int N>
      AIT_DEVICE void apply(const float (&sums)[N], float (&results)[N], int64_t, int64_t) const {
        AIT_UNROLL
        for (int i = 0; i < N; i++) results[i] = sums[i] * scale;
      }
    };
  `);
  const axes = (steps: readonly [Dim, Dim], others: readonly [Dim, Dim]) =>
    [a.batch, a.heads]
      .map((extent, i) => ({ extent, a: steps[i]!, b: others[i]! }))
      .filter((x) => x.extent !== 1);
  const [q, keys, values] = [0, 1, 2].map((i) => headOperand(node, i, k)) as [Head, Head, Head];
  const rows: Dim = a.queries;
  const common = { element: type, resultType: type, rows } as const;
  const inMemory: readonly [Dim, Dim] = [mul(a.heads, a.queries, a.keys), mul(a.queries, a.keys)];
  const first = productLaunches(
    {
      ...common,
      a: q.operand,
      b: keys.operand,
      columns: a.keys,
      depth: a.depth,
      outer: axes(q.steps, keys.steps),
      result: memory,
      epilogue: cpp`Scaled{${k.number(attrs.scale)}}`,
    },
    k,
  );
  const [count, n] = [k.fresh(mul(a.batch, a.heads, a.queries)), k.fresh(a.keys)];
  const form = `ait::gpu::SoftmaxForm::Softmax, ${groups.group}, ${groups.items}, ${groups.vector}`;
  const soften: Launch = {
    body: cpp`ait::gpu::softmax_rows<${new Cpp(form)}>(${count}, static_cast<int>(${n}), ait::gpu::read_aligned(${memory}), ait::gpu::write_aligned(${memory}));`,
    grid: [cpp`ait::gpu::blocks(${count}, ${groups.rows})`],
    threads: groups.threads,
  };
  const second = productLaunches(
    {
      ...common,
      a: { text: memory, deep: true, pitch: a.keys, vector: 8 },
      b: { ...values.operand, deep: false },
      columns: a.valueDepth,
      depth: a.keys,
      outer: axes(inMemory, values.steps),
      result: alignedOutput(k),
      epilogue: noEpilogue(type),
    },
    k,
  );
  const bound = [...first, soften, ...second].map((l) => ({
    ...l,
    values: [...(l.values ?? []), ...[q, keys, values].flatMap((h) => h.values)],
  }));
  return withCopies(k, bound);
}

interface Head {
  readonly operand: MatrixOperand;
  readonly values: NonNullable<Launch['values']>;
  /** From one sample, and from one head, to the next. */
  readonly steps: readonly [Dim, Dim];
}

function headOperand(node: Attention, i: number, k: GpuBuilder): Head {
  const { offset, strides } = stepsOf(node, i)!;
  const text = alignedInput(k, i);
  const operand = { deep: true, pitch: strides[2]!, vector: 8 };
  const steps = [strides[0]!, strides[1]!] as const;
  if (offset === 0) return { operand: { ...operand, text }, values: [], steps };
  const name = new Cpp(`h${i}`);
  k.before(cpp`const auto* const ${name} = (${hostAddress(k, text)}) + ${k.fresh(offset)};`);
  const type = cpp`const ${ctype[dtypeOf(node.inputs[i]!)]}*`;
  return { operand: { ...operand, text: name }, values: [{ type, name, value: name }], steps };
}
