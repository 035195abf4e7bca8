import { expect, test } from 'vitest';
import { floordiv, mul, symbol } from '../src/ir/dim.js';
import { type Graph, graph, inputValue, type Node, type Op, shapeOf } from '../src/ir/graph.js';
import { literalOf } from '../src/ir/literal.js';
import { tensor } from '../src/ir/type.js';
import { constant } from '../src/ops/constant.js';
import { if_ } from '../src/ops/control-flow.js';
import { builder } from '../src/ops/op.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { cpp } from './cpp.js';
import { cpuKernelSet, emitSegment, type SegmentCode, type WeightStore } from './host-program.js';
import type { Kernel } from './kernel.js';
import { KernelFailure } from './kernel-failure.js';
import { emitModule } from './module.js';
import type { CpuTarget } from './target.js';

const target: CpuTarget = { kind: 'cpu', arch: 'native', isa: 'x86-64', features: '', lanes: 4 };
const kernels = new Map<Op, Kernel>([
  [reshape as unknown as Op, { op: reshape as unknown as Op, alias: () => true }],
  [
    pointwise as unknown as Op,
    {
      op: pointwise as unknown as Op,
      emit: ({ inputs, outputs }, k) => {
        const [x, y] = [inputs.map((_, i) => k.input(i)), k.output()];
        const n = k.arg(shapeOf(outputs[0]!).reduce((a, d) => mul(a, d), 1));
        return cpp`compute(${y}, ${x[0]}, ${x[1]}, ${n});`;
      },
    },
  ],
  [
    if_ as unknown as Op,
    {
      op: if_ as unknown as Op,
      branches: ({ attrs }) => [attrs.thenBranch as Graph, attrs.elseBranch as Graph],
    },
  ],
]);
const kernelOf = (n: Node): Kernel => kernels.get(n.op)!;

function store(): WeightStore {
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    append: (l) => {
      bytes += 64;
      return bytes - Math.min(64, l.byteLength + 64);
    },
  };
}
const emit = (g: Graph): SegmentCode => emitSegment('segment_0', g, cpuKernelSet(target, kernelOf), store());

const at = (name: string) => builder({ format: 'onnx', name });
const n = symbol('unk__7', 1);
const x = inputValue('ids */', tensor('f32', [n, 8]));
const weight = at('w')(constant, [], { value: literalOf('f32', [8], [0, 1, 2, 3, 4, 5, 6, 7]) });
const scaled = at('scale')(pointwise, [x, weight], callOf('mul', 2));
const flat = at('flat')(reshape, [scaled], { shape: [floordiv(n, 2), 16] });
const model = (): Graph => graph([x], [at('tail')(pointwise, [flat, flat], callOf('add', 2))], ['y']);

test('a program reads like the model', () => {
  expect(emit(model()).program.text).toMatchInlineSnapshot(`
    "const ait::Extent segment_0_inputs_0[] = {{-1, "unk__7", 1, -1}, {8, nullptr, 8, 8}};
    const ait::Port segment_0_inputs[] = {
        {"ids */", ait::DType::f32, 2, segment_0_inputs_0},
    };

    const ait::Extent segment_0_outputs_0[] = {{-1, "floordiv(unk__7,2)", 0, -1}, {16, nullptr, 16, 16}};
    const ait::Port segment_0_outputs[] = {
        {"y", ait::DType::f32, 2, segment_0_outputs_0},
    };

    void segment_0_shapes(const ait::Tensor* inputs, int64_t* extents) {
      const int64_t d_unk_7 = inputs[0].shape[0];
      extents[0] = ait::dim_floordiv(d_unk_7, int64_t{2});
      extents[1] = 16;
    }

    void segment_0(ait::Run& run) {
      const float* in0 = run.input<float>(0);  // ids */
      const int64_t d_unk_7 = run.extent(0, 0);
      static const int32_t first[] = {0};
      static const int32_t last[] = {1};
      const int64_t sizes[] = {32 * d_unk_7};
      int64_t offsets[1];
      uint8_t* const arena = run.plan({1, first, last}, sizes, offsets);
      // pointwise: scale
      float* v0 = ait::at<float>(arena, offsets[0]);
      pointwise_c0bb674d50(run.ctx, in0, run.weight<float>(0), v0, 8 * d_unk_7);
      const int64_t n0 = ait::dim_floordiv(d_unk_7, int64_t{2});
      const int64_t n1 = ait::dim_eq(8 * d_unk_7, 16 * n0);
      if (n1 != 1) return run.ctx.fail("reshape flat: the new shape is for another number of elements");
      // pointwise: tail
      float* v1 = run.output<float>(0, n0, 16);
      pointwise_c0bb674d50(run.ctx, v0, v0, v1, 16 * n0);
    }"
  `);
});

test('a branch calls one of two programs', () => {
  const v = inputValue('v', tensor('f32', [4]));
  const inner = inputValue('inner', tensor('f32', [4]));
  const body = (name: string): Graph =>
    graph([inner], [at(name)(pointwise, [inner, inner], callOf('add', 2))]);
  const chosen = at('choice')(if_, [inputValue('c', tensor('bool', [])), v], {
    thenBranch: body('yes'),
    elseBranch: body('no'),
    captured: 1,
    outputs: [tensor('f32', [4])],
  });
  expect(emit(graph([chosen.node.inputs[0]!, v], [chosen], ['y'])).program.text).toMatchInlineSnapshot(`
    "void segment_0_0_then(ait::Run& run) {
      const float* in0 = run.input<float>(0);  // inner
      // pointwise: yes
      float* v0 = run.output<float>(0, 4);
      pointwise_c0bb674d50(run.ctx, in0, in0, v0, 4);
    }

    void segment_0_0_else(ait::Run& run) {
      const float* in0 = run.input<float>(0);  // inner
      // pointwise: no
      float* v0 = run.output<float>(0, 4);
      pointwise_c0bb674d50(run.ctx, in0, in0, v0, 4);
    }

    const ait::Extent segment_0_inputs_1[] = {{4, nullptr, 4, 4}};
    const ait::Port segment_0_inputs[] = {
        {"c", ait::DType::boolean, 0, nullptr},
        {"v", ait::DType::f32, 1, segment_0_inputs_1},
    };

    const ait::Extent segment_0_outputs_0[] = {{4, nullptr, 4, 4}};
    const ait::Port segment_0_outputs[] = {
        {"y", ait::DType::f32, 1, segment_0_outputs_0},
    };

    void segment_0(ait::Run& run) {
      const bool* in0 = run.input<bool>(0);  // c
      const float* in1 = run.input<float>(1);  // v
      // if: choice
      int64_t shape_segment_0_0_0[] = {4, 0};
      const ait::Tensor captured_segment_0_0[] = {{const_cast<float*>(in1), shape_segment_0_0_0, 1, 1, run.host<float>(1)}, {nullptr, nullptr, 0}};
      ait::Branch<1> branch_segment_0_0(run, 0, captured_segment_0_0);
      (run.read(in0, 0, run.host<bool>(0)) ? segment_0_0_then : segment_0_0_else)(branch_segment_0_0);
      if (run.ctx.error) return;
      const float* v0 = branch_segment_0_0.result<float>(0);
      run.copy(run.output<float>(0, 4), v0, 16);
    }"
  `);
});

test('sources are the same however often, and wherever, they are emitted', () => {
  const sources = () => emitModule([emit(model())], target, 64);
  expect(sources()).toEqual(sources());
  const text = sources()
    .map((s) => s.text)
    .join('\n');
  expect(text).not.toContain(process.cwd());
});

test('equal kernels are defined once, and name all their callers', () => {
  const code = emit(model());
  expect(new Set(code.kernels.map((k) => k.entry.text)).size).toBe(1);
  expect([...code.callers.values()].map((nodes) => nodes.map((m) => m.origin.name))).toEqual([
    ['scale', 'tail'],
  ]);
});

test('extents that differ only in marks have names that differ', () => {
  const shapes = ['a__b', 'a_b', 'a b'].map((s) => symbol(s));
  const wide = inputValue('wide', tensor('f32', shapes));
  const code = emit(graph([wide], [at('t')(pointwise, [wide, wide], callOf('add', 2))], ['y']));
  expect(code.program.text).toMatch(/d_a_b = run.*\n.*d_a_b_2 = run.*\n.*d_a_b_3 = run/);
});

test('a kernel that throws is a failure of its node', () => {
  const fails: Kernel = {
    op: pointwise as unknown as Op,
    emit: () => {
      throw new TypeError('no');
    },
  };
  const failing = (m: Node): Kernel => (m.origin.name === 'tail' ? fails : kernelOf(m));
  let failure: unknown;
  try {
    emitSegment('segment_0', model(), cpuKernelSet(target, failing), store());
  } catch (e) {
    failure = e;
  }
  expect(failure).toBeInstanceOf(KernelFailure);
  expect((failure as KernelFailure).node.origin.name).toBe('tail');
  expect((failure as KernelFailure).message).toBe('generating its kernel failed: no');
});
