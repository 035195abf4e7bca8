import { type Cpp, cpp, join } from '../../codegen/cpp.js';
import type { KernelBuilder } from '../../codegen/kernel.js';
import { numel, type Shape } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import type { Layout } from '../../src/ops/epilogue.js';
import { channelsOf, spatialOf } from '../../src/ops/window.js';
import { type Spatial, windowExtents } from '../shared/window.js';
import { isNarrow } from './epilogue.js';
import { Scratch } from './scratch.js';

/** The text of an ait::ConvShape, of at most two spatial axes. */
export function imageShape(node: Spatial, k: KernelBuilder): Cpp {
  const [x, y] = [shapeOf(node.inputs[0]!), shapeOf(node.outputs[0]!)];
  const { groups, layout } = node.attrs;
  const [from, to, ...window] = windowExtents(node, 2);
  const fields = [
    ...[x[0]!, ...from, channelsOf(x, layout), ...to, channelsOf(y, layout)],
    ...[...window.flat(), groups],
  ].map((d) => k.fresh(d));
  return cpp`const ait::ConvShape s{${join(fields, ', ')}};`;
}

/** The text of an ait::ConvNdShape. */
export function volumeShape(node: Spatial, k: KernelBuilder): Cpp {
  const [x, y] = [shapeOf(node.inputs[0]!), shapeOf(node.outputs[0]!)];
  const { groups, kernel, layout } = node.attrs;
  const freshList = (xs: Shape): Cpp =>
    join(
      xs.map((d) => k.fresh(d)),
      ', ',
    );
  const fields = [
    cpp`${kernel.length}`,
    freshList([x[0]!, channelsOf(x, layout), channelsOf(y, layout), groups]),
    ...windowExtents(node).map((xs) => cpp`{${freshList(xs)}}`),
  ];
  return cpp`const ait::ConvNdShape s{${join(fields, ', ')}};`;
}

/** Operands of a node brought into f32 and channels-last order, through scratch memory where they are not. */
export class ChannelsLast {
  readonly scratch = new Scratch();
  readonly before: Cpp[] = [];
  readonly after: Cpp[] = [];

  constructor(
    readonly node: Node<{ readonly layout: Layout }>,
    readonly k: KernelBuilder,
  ) {}

  image(): Cpp {
    const { node, k } = this;
    const v = node.inputs[0]!;
    const x = shapeOf(v);
    const first = node.attrs.layout === 'NCX';
    if (!first && !isNarrow(dtypeOf(v))) return k.input(0);
    const size = k.fresh(numel(x));
    const image = this.scratch.floats('image', size);
    const spatial = (): Cpp => k.fresh(numel(spatialOf(x, 'NCX')));
    this.before.push(
      first
        ? cpp`ait::transpose_matrices(ctx, s.batch, s.c, ${spatial()}, ${k.input(0)}, ${image});`
        : cpp`ait::convert(ctx, ${k.input(0)}, ${size}, ${image});`,
    );
    return image;
  }

  /** An input as it lies, in f32. */
  wide(i: number): Cpp {
    const { node, k } = this;
    if (!isNarrow(dtypeOf(node.inputs[i]!))) return k.input(i);
    const size = k.fresh(numel(shapeOf(node.inputs[i]!)));
    const wide = this.scratch.floats('wide', size);
    this.before.push(cpp`ait::convert(ctx, ${k.input(i)}, ${size}, ${wide});`);
    return wide;
  }

  result(): Cpp {
    const { node, k } = this;
    const v = node.outputs[0]!;
    const y = shapeOf(v);
    const first = node.attrs.layout === 'NCX';
    if (!first && !isNarrow(dtypeOf(v))) return k.output();
    const size = k.fresh(numel(y));
    const sums = this.scratch.floats('sums', size);
    const spatial = (): Cpp => k.fresh(numel(spatialOf(y, 'NCX')));
    this.after.push(
      first
        ? cpp`ait::transpose_matrices(ctx, s.batch, ${spatial()}, s.k, ${sums}, ${k.output()});`
        : cpp`ait::convert(ctx, ${sums}, ${size}, ${k.output()});`,
    );
    return sums;
  }
}
