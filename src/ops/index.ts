import { bitcast, cast } from './cast.js';
import { concat } from './concat.js';
import { constant, dims } from './constant.js';
import { if_, loop, scan } from './control-flow.js';
import { dropout } from './dropout.js';
import { expand } from './expand.js';
import { foreign } from './foreign.js';
import { gather, gatherElements, gatherNd } from './gather.js';
import type { OpDef } from './op.js';
import { pad } from './pad.js';
import { pointwise } from './pointwise.js';
import { reshape } from './reshape.js';
import { shapeOfValue } from './shape.js';
import { slice } from './slice.js';
import { transpose } from './transpose.js';

/** Every operator of the IR. */
export const operators: readonly OpDef[] = [
  bitcast,
  cast,
  concat,
  constant,
  dims,
  dropout,
  expand,
  foreign,
  gather,
  gatherElements,
  gatherNd,
  if_,
  loop,
  pad,
  pointwise,
  reshape,
  scan,
  shapeOfValue,
  slice,
  transpose,
];
