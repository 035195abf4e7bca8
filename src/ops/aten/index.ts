import type { AtenMap } from './aten-node.js';
import { attentions } from './attention.js';
import { contraction } from './contraction.js';
import { creation } from './creation.js';
import { distances } from './distances.js';
import { elementwise } from './elementwise.js';
import { images } from './images.js';
import { indexing } from './indexing.js';
import { movement } from './movement.js';
import { norms } from './norms.js';
import { recurrents } from './recurrent.js';
import { reductions } from './reductions.js';

/** Every ATen operator that has a converter. */
export const atenConverters: AtenMap = {
  ...attentions,
  ...contraction,
  ...creation,
  ...distances,
  ...elementwise,
  ...images,
  ...indexing,
  ...movement,
  ...norms,
  ...recurrents,
  ...reductions,
};
