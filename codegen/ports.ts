import { bareSymbol, show, symbolsOf } from '../src/ir/dim.js';
import type { DType, TensorType } from '../src/ir/type.js';
import { Cpp, cpp, join, str } from './cpp.js';

export interface PortText {
  readonly name: Cpp;
  readonly dtype: Cpp;
  readonly extents: readonly Cpp[];
}

/** An input or output of a segment as run.h describes it. */
export function port(name: string, { dtype, shape }: TensorType): PortText {
  const extents = shape.map((d) => {
    if (typeof d === 'number') return cpp`{${d}, nullptr, ${d}, ${d}}`;
    const only = bareSymbol(d);
    const range = only === undefined ? undefined : symbolsOf(d).get(only);
    const max = range && Number.isFinite(range.max) ? range.max : -1;
    return cpp`{-1, ${str(show(d))}, ${Math.max(0, range?.min ?? 0)}, ${max}}`;
  });
  return { name: str(name), dtype: dtypeEnum(dtype), extents };
}

const dtypeEnum = (t: DType): Cpp => new Cpp(`ait::DType::${t === 'bool' ? 'boolean' : t}`);

/** The tables of a segment's inputs or outputs; nothing when there are none. */
export function portTable(name: string, ports: readonly PortText[]): Cpp | false {
  if (ports.length === 0) return false;
  const tables = ports.map((p, i) =>
    p.extents.length === 0
      ? cpp``
      : cpp`const ait::Extent ${new Cpp(`${name}_${i}`)}[] = {${join(p.extents, ', ')}};`,
  );
  const rows = ports.map((p, i) => {
    const extents = p.extents.length === 0 ? 'nullptr' : `${name}_${i}`;
    return cpp`{${p.name}, ${p.dtype}, ${p.extents.length}, ${new Cpp(extents)}},`;
  });
  return cpp`
    ${tables.filter((t) => t.text !== '')}
    const ait::Port ${new Cpp(name)}[] = {
        ${rows}
    };
  `;
}
