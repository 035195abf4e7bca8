import { Cpp, cpp } from '../../codegen/cpp.js';
import type { KernelBuilder } from '../../codegen/kernel.js';
import type { Shape } from '../../src/ir/dim.js';
import { shapeOf, type Value } from '../../src/ir/graph.js';
import { type Ends, listOf, refusePacked } from '../shared/elements.js';

/** A local array of extents, strides or the like, as run-time parameters so that kernels can be shared. */
export const table = (k: KernelBuilder, name: string, dims: Shape): Cpp =>
  cpp`const int64_t ${new Cpp(name)}[] = {${listOf(k, dims.length === 0 ? [0] : dims)}};`;

/** Axes that functions of the headers walk through by a table. */
const mostAxes = 12;

/** Why elements are not moved along the axes of a value, if they are not. */
export const refuseWalk = (node: Ends, v: Value): string | undefined =>
  shapeOf(v).length > mostAxes ? `it has more than ${mostAxes} axes` : refusePacked(node);
