import { literalOf } from '../../src/ir/literal.js';
import { int } from '../../src/ops/onnx-emitter.js';
import type { DowngradeEmitter } from './downgrade.js';
import { attribute, type PlainNode, rankOf, withInput, without } from './upgrade.js';

/** Before opset 18 a Resize names something for every axis: a factor of 1, or the extent as it is. */
export function resizeAllAxes(n: PlainNode, e: DowngradeEmitter): PlainNode {
  const given = attribute(n, 'axes', 'ints');
  const plain = without(n, 'axes');
  const rank = rankOf(n, 0);
  if (!given) return plain;
  if (rank === undefined) {
    e.needs(18, 'Resize along axes of a tensor of unknown rank');
    return plain;
  }
  const axes = given.map((a) => (a < 0n ? Number(a) + rank : Number(a)));
  const [x, roi, scales, sizes] = n.inputs;
  if (axes.length === rank && axes.every((a, i) => a === i)) return plain;
  const placed = (all: string, at: readonly number[], values: string): string =>
    e.one('ScatterElements', [all, e.literal(literalOf('i64', [at.length], at)), values], { axis: int(0) });
  const fill = (values: readonly number[], type: 'f32' | 'i64'): string =>
    e.literal(literalOf(type, [values.length], values));
  const ones = Array.from({ length: rank }, () => 1);
  const merged = (base: readonly number[], values: readonly number[]): readonly number[] =>
    base.map((b, i) => (axes.includes(i) ? values[axes.indexOf(i)]! : b));
  const known = (name: string): readonly number[] | undefined => e.constantNamed(name)?.numbers();
  let m = plain;
  if (roi !== undefined) {
    const ends = [...ones.map(() => 0), ...ones];
    m = withInput(m, 1, placed(fill(ends, 'f32'), [...axes, ...axes.map((a) => a + rank)], roi));
  }
  if (scales !== undefined) {
    const values = known(scales);
    m = withInput(m, 2, values ? fill(merged(ones, values), 'f32') : placed(fill(ones, 'f32'), axes, scales));
  }
  if (sizes !== undefined) {
    const type = n.types[0];
    const extents = type?.kind === 'tensor' ? type.shape.map(Number) : [];
    const values = known(sizes);
    m = withInput(
      m,
      3,
      values && extents.every(Number.isInteger)
        ? fill(merged(extents, values), 'i64')
        : placed(e.one('Shape', [x]), axes, sizes),
    );
  }
  return m;
}
