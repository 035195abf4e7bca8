import { Cpp, cpp, ctype } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch, LaunchValue } from '../../codegen/gpu/builder.js';
import { constantOf } from '../../codegen/kernel.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf, type Value } from '../../src/ir/graph.js';

/**
 * Operands that a kernel reads or writes 16 bytes at a time. A tensor that begins elsewhere, as a part of another may,
 * passes through scratch memory; the copies are not started otherwise.
 */
interface Aligned {
  readonly values: LaunchValue[];
  readonly before: Launch[];
  readonly after: Launch[];
}

const ofBuilder = new WeakMap<GpuBuilder, Aligned>();

function alignedOf(k: GpuBuilder): Aligned {
  const known = ofBuilder.get(k) ?? { values: [], before: [], after: [] };
  ofBuilder.set(k, known);
  return known;
}

/** The launches with the copies that they need around them. */
export function withCopies(k: GpuBuilder, launches: readonly Launch[]): readonly Launch[] {
  const { values, before, after } = alignedOf(k);
  const bound = launches.map((l) => ({ ...l, values: [...(l.values ?? []), ...values] }));
  return [...before, ...bound, ...after];
}

export function alignedInput(k: GpuBuilder, i: number): Cpp {
  const v = k.node.inputs[i]!;
  const p = k.input(i);
  if (constantOf(v)) return p;
  const { values, before } = alignedOf(k);
  const name = new Cpp(`a${p}`);
  if (values.some((x) => x.name.text === name.text)) return name;
  const { odd, copy, size } = detour(k, v, p);
  values.push({ type: cpp`const ${ctype[dtypeOf(v)]}*`, name, value: cpp`${odd} ? ${copy} : ${p}` });
  before.push(copying(ctype[dtypeOf(v)], copy, p, size, odd));
  return name;
}

/** The address behind an aligned operand, as an expression of the host. */
export const hostAddress = (k: GpuBuilder, operand: Cpp): Cpp =>
  alignedOf(k).values.find((v) => v.name.text === operand.text)?.value ?? operand;

export function alignedOutput(k: GpuBuilder): Cpp {
  const v = k.node.outputs[0]!;
  const p = k.output();
  const { values, after } = alignedOf(k);
  const name = new Cpp(`a${p}`);
  if (values.some((x) => x.name.text === name.text)) return name;
  const { odd, copy, size } = detour(k, v, p);
  values.push({ type: cpp`${ctype[dtypeOf(v)]}*`, name, value: cpp`${odd} ? ${copy} : ${p}` });
  after.push(copying(ctype[dtypeOf(v)], p, copy, size, odd));
  return name;
}

function detour(k: GpuBuilder, v: Value, p: Cpp): { odd: Cpp; copy: Cpp; size: Cpp } {
  const odd = new Cpp(`${p}_odd`);
  const type = ctype[dtypeOf(v)];
  const size = k.fresh(numel(shapeOf(v)));
  k.before(cpp`const bool ${odd} = reinterpret_cast<uintptr_t>(${p}) % 16 != 0;`);
  return {
    odd,
    size,
    copy: k.scratch(type, cpp`${odd} ? ${size} * static_cast<int64_t>(sizeof(*${p})) : 0`),
  };
}

const copying = (type: Cpp, to: Cpp, from: Cpp, size: Cpp, when: Cpp): Launch => ({
  body: cpp`
    const int64_t i = static_cast<int64_t>(ait::gpu::block_x()) * 256 + ait::gpu::thread();
    if (i < size) to[i] = from[i];
  `,
  grid: [cpp`${when} ? ait::gpu::blocks(${size}, 256) : 0`],
  threads: 256,
  values: [
    { type: cpp`const ${type}*`, name: cpp`from`, value: from },
    { type: cpp`${type}*`, name: cpp`to`, value: to },
    { type: cpp`int64_t`, name: cpp`size`, value: size },
  ],
  alone: [],
});
