import { type Dim, floordiv, mul } from '../ir/dim.js';
import { shapeOf } from '../ir/graph.js';
import { CompileError } from '../support/diagnostic.js';
import type { Converter, SourceNode } from './op.js';
import { reshape } from './reshape.js';
import { transpose } from './transpose.js';

/*
 * Blocks of channels become blocks of places, or the reverse: a reshape, a transpose and a reshape. DCR has
 * the place inside a block outermost among the channels, CRD innermost.
 */

function extents(n: SourceNode): readonly [Dim, Dim, Dim, Dim] {
  const shape = shapeOf(n.input(0));
  if (shape.length !== 4) throw new CompileError('bad-rank', `${n.opType} takes a tensor of rank 4`);
  return shape as readonly [Dim, Dim, Dim, Dim];
}

function isDcr(n: SourceNode): boolean {
  const mode = n.string('mode', 'DCR');
  if (mode !== 'DCR' && mode !== 'CRD') n.decline(`${n.opType} has no mode "${mode}"`);
  return mode === 'DCR';
}

export const depthToSpace: Converter = (n, b) => {
  const [batch, channels, height, width] = extents(n);
  const block = n.int('blocksize');
  const dcr = isDcr(n);
  const left = floordiv(channels, block * block);
  const apart = dcr ? [batch, block, block, left, height, width] : [batch, left, block, block, height, width];
  const moved = b(transpose, [b(reshape, [n.input(0)], { shape: apart })], {
    perm: dcr ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3],
  });
  return b(reshape, [moved], { shape: [batch, left, mul(height, block), mul(width, block)] });
};

export const spaceToDepth: Converter = (n, b) => {
  const [batch, channels, height, width] = extents(n);
  const block = n.int('blocksize');
  const [rows, columns] = [floordiv(height, block), floordiv(width, block)];
  const apart = [batch, channels, rows, block, columns, block];
  const moved = b(transpose, [b(reshape, [n.input(0)], { shape: apart })], {
    perm: isDcr(n) ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4],
  });
  return b(reshape, [moved], { shape: [batch, mul(channels, block * block), rows, columns] });
};
