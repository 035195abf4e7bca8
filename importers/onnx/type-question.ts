import { createHash } from 'node:crypto';
import { type Dim, symbol } from '../../src/ir/dim.js';
import { emit, graph, inputValue, is, type Value } from '../../src/ir/graph.js';
import { isDType, type OpaqueType, tensor } from '../../src/ir/type.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { constant } from '../../src/ops/constant.js';
import { maxContent } from '../../src/ops/content.js';
import { type ForeignAttrs, foreign } from '../../src/ops/foreign.js';
import type { OpenType } from './context.js';
import { exportOnnx } from './export.js';
import { opaque, unknownType } from './type-proto.js';

/** What somebody else found out about a result; a dim that is a string is one of the question's, or unknown. */
export interface AnsweredType {
  readonly dtype: string;
  readonly dims: readonly (number | string)[];
}

export type Answers = ReadonlyMap<string, readonly (AnsweredType | undefined)[]>;

/** A model of one node, whose results' types tell those of the node. */
export interface TypeQuestion {
  /** The same for the same question. */
  readonly key: string;
  readonly model: Uint8Array;
}

/** What else could be known of the results of a foreign node; undefined when its inputs are not known either. */
export class ResultTypes {
  readonly question: TypeQuestion;
  readonly #extents = new Map<string, Dim>();
  readonly #positions: readonly number[];

  private constructor(inputs: readonly Value[], attrs: ForeignAttrs) {
    const outputs = attrs.outputs.map(() => unknownType);
    const origin = { format: 'onnx', name: 'node', opType: attrs.opType } as const;
    const given = inputs.map((v, i) => this.#standIn(v, i));
    const node = emit(foreign, given, { ...attrs, outputs, reason: '' }, origin);
    this.#positions = outputs.flatMap((_, i) => (attrs.unnamed.includes(i) ? [] : [i]));
    const model = encodeModel(
      exportOnnx(
        graph(
          given.filter((v) => !is(v.node, constant)),
          this.#positions.map((i) => node.outputs[i]!),
          this.#positions.map((i) => `result_${i}`),
        ),
      ),
    );
    this.question = { key: createHash('sha256').update(model).digest('hex'), model };
  }

  static of(inputs: readonly Value[], attrs: ForeignAttrs): ResultTypes | undefined {
    return inputs.every((v) => v.type.kind === 'tensor') ? new ResultTypes(inputs, attrs) : undefined;
  }

  /** An input of the same type. Its extents get names of their own, for answers to be told in. */
  #standIn(v: Value, i: number): Value {
    if (v.type.kind === 'opaque' || (is(v.node, constant) && v.node.attrs.value.size <= maxContent)) return v;
    const names = new Map([...this.#extents].map(([name, d]) => [d, name]));
    const shape = v.type.shape.map((d) => {
      if (typeof d === 'number') return d;
      const known = [...names].find(([other]) => typeof other === 'object' && other.key === d.key)?.[1];
      const name = known ?? `extent_${this.#extents.size}`;
      this.#extents.set(name, d);
      names.set(d, name);
      return symbol(name);
    });
    return inputValue(`input_${i}`, tensor(v.type.dtype, shape));
  }

  /** The answer in terms of the inputs' extents. */
  read(answer: readonly (AnsweredType | undefined)[]): readonly (OpenType | OpaqueType | undefined)[] {
    const types: (OpenType | OpaqueType | undefined)[] = [];
    this.#positions.forEach((position, i) => {
      const found = answer[i];
      if (!found || !isDType(found.dtype)) return;
      // No extents may also mean that their number is not known.
      types[position] =
        found.dims.length === 0
          ? opaque(`${found.dtype}[*]`)
          : { kind: 'open', dtype: found.dtype, dims: found.dims.map((d) => this.#extent(d)) };
    });
    return types;
  }

  #extent(d: number | string): Dim | undefined {
    return typeof d === 'string' ? this.#extents.get(d) : d >= 0 ? d : undefined;
  }
}
