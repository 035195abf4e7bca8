import type { Graph } from '../ir/graph.js';
import { showType, type TensorType, type ValueType } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { dtype, int, ints, type OnnxAttr } from './onnx-emitter.js';
import { defineOp, type OpDef } from './op.js';

/*
 * The inputs of these operators end with the outer values that the bodies read; each body has them as its
 * last inputs, in the same order. A body is closed: it mentions no other value and no symbol of the graph
 * around it. An outer value has in the bodies the element type that it has outside.
 */

/** Throws where bodies read their last inputs as other elements than the node's are. */
export function expectCaptured(
  inputs: readonly ValueType[],
  captured: number,
  bodies: readonly Graph[],
): void {
  for (const body of bodies)
    for (let back = 1; back <= captured; back++) {
      const [given, read] = [inputs.at(-back), body.inputs.at(-back)?.type];
      if (!given || !read)
        throw new CompileError('type-mismatch', 'a body reads more values than it is given');
      if (elementsOf(given) !== elementsOf(read))
        throw new CompileError(
          'type-mismatch',
          `a body reads ${showType(given)}, which it is given, as ${showType(read)}`,
        );
    }
}

const elementsOf = (t: ValueType): string => (t.kind === 'tensor' ? t.dtype : t.text);

const bodyOf = (value: Graph, captured: readonly string[]): OnnxAttr => ({ kind: 'graph', value, captured });

/** Runs one of two graphs without inputs of their own. */
export const if_: OpDef<{
  thenBranch: Graph;
  elseBranch: Graph;
  captured: number;
  outputs: readonly ValueType[];
}> = defineOp({
  name: 'if',
  takesOpaque: true,
  infer: (inputs, { outputs, captured, thenBranch, elseBranch }) => {
    expectCaptured(inputs, captured, [thenBranch, elseBranch]);
    return outputs;
  },
  toOnnx: ({ attrs }, [condition, ...captured], e) =>
    e.node(
      'If',
      [condition],
      { then_branch: bodyOf(attrs.thenBranch, captured), else_branch: bodyOf(attrs.elseBranch, captured) },
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
  infer: (inputs, { outputs, captured, body }) => {
    expectCaptured(inputs, captured, [body]);
    return outputs;
  },
  toOnnx: ({ attrs }, inputs, e) => {
    const { hasCount, hasCondition, captured, outputs } = attrs;
    const own = inputs.slice(0, inputs.length - captured);
    const states = own.slice(Number(hasCount) + Number(hasCondition));
    return e.node(
      'Loop',
      [hasCount ? own[0] : undefined, hasCondition ? own[Number(hasCount)] : undefined, ...states],
      { body: bodyOf(attrs.body, inputs.slice(inputs.length - captured)) },
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
  infer: (inputs, { outputs, captured, body }) => {
    expectCaptured(inputs, captured, [body]);
    return outputs;
  },
  toOnnx: ({ attrs }, inputs, e) => {
    const own = inputs.length - attrs.captured;
    return e.node(
      'Scan',
      inputs.slice(0, own),
      {
        body: bodyOf(attrs.body, inputs.slice(own)),
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
