import { constant, dims } from './constant.js';
import { if_, loop, scan } from './control-flow.js';
import { foreign } from './foreign.js';
import type { OpDef } from './op.js';
import { pointwise } from './pointwise.js';
import { reshape } from './reshape.js';
import { shapeOfValue } from './shape.js';
import { transpose } from './transpose.js';

/** Every operator of the IR. */
export const operators: readonly OpDef[] = [
  constant,
  dims,
  foreign,
  if_,
  loop,
  pointwise,
  reshape,
  scan,
  shapeOfValue,
  transpose,
];
