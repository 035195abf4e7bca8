import { type Cpp, cpp } from '../../codegen/cpp.js';
import { defineTraits } from '../../codegen/kernel.js';
import { dtypeOf, type Node } from '../../src/ir/graph.js';
import { isFloat } from '../../src/ir/type.js';
import { bitcast, type CastAttrs } from '../../src/ops/cast.js';

const roundings = { up: cpp`Up`, down: cpp`Down`, nearest: cpp`Nearest` } as const;

/** An ait::Rounding. */
export const roundingText = ({ round }: CastAttrs): Cpp => cpp`ait::Rounding::${roundings[round]}`;

export function refuseCast({ inputs, attrs }: Pick<Node<CastAttrs>, 'inputs' | 'attrs'>): string | undefined {
  const from = dtypeOf(inputs[0]!);
  return attrs.to === 'f8e8m0' && isFloat(from) && from !== 'f4e2m1'
    ? undefined
    : `there is no cast from ${from} to ${attrs.to} that rounds ${attrs.round}`;
}

/** The memory serves as it is. */
export const bitcastTraits = defineTraits({ op: bitcast, alias: () => true });
