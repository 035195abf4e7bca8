import type { Literal } from '../../src/ir/literal.js';

/**
 * Remembers what was made of things, for each key: packing is slow next to everything else the compiler does, segments
 * are emitted more than once, and what is one literal is stored once.
 */
export function remembering<O extends object, T>(): (of: O, key: string, make: () => T) => T {
  const all = new WeakMap<O, Map<string, T>>();
  return (of, key, make) => {
    const known = all.get(of) ?? new Map<string, T>();
    all.set(of, known);
    const made = known.get(key) ?? make();
    known.set(key, made);
    return made;
  };
}

/** Elements as signed bytes: unsigned ones less 128. */
export function signedBytes(l: Literal): Int8Array {
  const bytes = l.bytes();
  if (l.dtype === 'i8') return new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  const out = new Int8Array(bytes.length);
  for (let i = 0; i < out.length; i++) out[i] = bytes[i]! - 128;
  return out;
}

/** Elements of a filter behind its axes of channels. */
export const tapsOfWeights = (l: Literal): number => l.shape.slice(2).reduce((a, b) => a * b, 1);

/** The window of a transposed convolution of one or two spatial axes. */
export interface PhaseWindow {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
  readonly groups: number;
}

/** The same of two axes, and which taps belong to a phase of the strides. */
export interface Phases {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly reaches: (axis: 0 | 1, phase: number, tap: number) => boolean;
  /** Tells windows apart. */
  readonly key: string;
}

export function phasesOf(w: PhaseWindow): Phases {
  const rank = w.kernel.length;
  const two = (xs: readonly number[], fill: number): readonly [number, number] =>
    rank === 2 ? [xs[0]!, xs[1]!] : [fill, xs[0]!];
  const [kernel, strides, dilations] = [two(w.kernel, 1), two(w.strides, 1), two(w.dilations, 1)];
  const pads = two(w.pads.slice(0, rank), 0);
  return {
    kernel,
    strides,
    reaches: (axis, phase, tap) => (phase + pads[axis] - tap * dilations[axis]) % strides[axis] === 0,
    key: JSON.stringify([w.groups, kernel, strides, dilations, pads]),
  };
}
