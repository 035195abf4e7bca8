import type { Graph } from '../ir/graph.js';
import type { TensorType, ValueType } from '../ir/type.js';
import { dtype, int, ints, type OnnxAttr } from './onnx-emitter.js';
import { defineOp, type OpDef } from './op.js';

/*
 * The inputs of these operators end with the outer values that the bodies read; each body has them as its
 * last inputs, in the same order. A body is closed: it mentions no other value and no symbol of the graph
 * around it.
 */

const body = (value: Graph, captured: readonly string[]): OnnxAttr => ({ kind: 'graph', value, captured });

/** Runs one of two graphs without inputs of their own. */
export const if_: OpDef<{
  thenBranch: Graph;
  elseBranch: Graph;
  captured: number;
  outputs: readonly ValueType[];
}> = defineOp({
  name: 'if',
  takesOpaque: true,
  infer: (_, { outputs }) => outputs,
  toOnnx: ({ attrs }, [condition, ...captured], e) =>
    e.node(
      'If',
      [condition],
      { then_branch: body(attrs.thenBranch, captured), else_branch: body(attrs.elseBranch, captured) },
      attrs.outputs.length,
    ),
});

/**
 * Inputs: the trip count and the condition where the model has them, then the initial states.
 * The body takes the iteration number, the condition and the states; it yields the condition, the states
 * and the slices of the stacked results.
 */
export const loop: OpDef<{
  body: Graph;
  hasCount: boolean;
  hasCondition: boolean;
  captured: number;
  outputs: readonly ValueType[];
}> = defineOp({
  name: 'loop',
  takesOpaque: true,
  infer: (_, { outputs }) => outputs,
  toOnnx: ({ attrs }, inputs, e) => {
    const { hasCount, hasCondition, captured, outputs } = attrs;
    const own = inputs.slice(0, inputs.length - captured);
    const states = own.slice(Number(hasCount) + Number(hasCondition));
    return e.node(
      'Loop',
      [hasCount ? own[0] : undefined, hasCondition ? own[Number(hasCount)] : undefined, ...states],
      { body: body(attrs.body, inputs.slice(inputs.length - captured)) },
      outputs.length,
    );
  },
});

/** Inputs: the initial states, then `scanned` tensors of which the body sees one slice at a time. */
export const scan: OpDef<{
  body: Graph;
  scanned: number;
  inputAxes: readonly number[];
  inputDirections: readonly number[];
  outputAxes: readonly number[];
  outputDirections: readonly number[];
  captured: number;
  outputs: readonly ValueType[];
}> = defineOp({
  name: 'scan',
  takesOpaque: true,
  infer: (_, { outputs }) => outputs,
  toOnnx: ({ attrs }, inputs, e) => {
    const own = inputs.length - attrs.captured;
    return e.node(
      'Scan',
      inputs.slice(0, own),
      {
        body: body(attrs.body, inputs.slice(own)),
        num_scan_inputs: { kind: 'int', value: attrs.scanned },
        scan_input_axes: ints(attrs.inputAxes),
        scan_input_directions: ints(attrs.inputDirections),
        scan_output_axes: ints(attrs.outputAxes),
        scan_output_directions: ints(attrs.outputDirections),
      },
      attrs.outputs.length,
    );
  },
});

/**
 * Ends the run with an error: the body of a branch that cannot compute its results. It reads the If's condition, which
 * is neither known nor used, so that nobody runs it ahead of time.
 */
export const fail: OpDef<{ message: string; outputs: readonly TensorType[] }> = defineOp({
  name: 'fail',
  infer: (_, { outputs }) => outputs,
  toOnnx: ({ attrs }, [condition], e) => {
    const index = e.one('Add', [
      e.one('Cast', [condition], { to: dtype('i64') }),
      e.constant('i64', [], [1]),
    ]);
    const beyond = e.one('Gather', [e.constant('i64', [1], [0]), index], { axis: int(0) });
    return attrs.outputs.map((t) => {
      const ones = e.constant(
        'i64',
        [t.shape.length],
        t.shape.map(() => 1),
      );
      return e.one('Reshape', [e.one('Cast', [beyond], { to: dtype(t.dtype) }), ones]);
    });
  },
});
