import { activations } from './activations.js';
import { advancedIndexing } from './advanced-indexing.js';
import { arithmetics } from './arithmetic.js';
import type { AtenMap } from './aten-node.js';
import { attentions } from './attention.js';
import { contraction } from './contraction.js';
import { copies } from './copies.js';
import { creation } from './creation.js';
import { detection } from './detection.js';
import { distances } from './distances.js';
import { images } from './images.js';
import { indexing } from './indexing.js';
import { joins } from './joins.js';
import { logic } from './logic.js';
import { masks } from './masks.js';
import { norms } from './norms.js';
import { permutations } from './permutations.js';
import { pieces } from './pieces.js';
import { recurrents } from './recurrent.js';
import { reductions } from './reductions.js';
import { repetition } from './repetition.js';
import { replacedParts } from './replaced-parts.js';
import { scatters } from './scatters.js';
import { shapes } from './shapes.js';
import { unary } from './unary.js';
import { windows } from './windows.js';

/** Every ATen operator that has a converter. */
export const atenConverters: AtenMap = {
  ...activations,
  ...advancedIndexing,
  ...arithmetics,
  ...attentions,
  ...contraction,
  ...copies,
  ...creation,
  ...detection,
  ...distances,
  ...images,
  ...indexing,
  ...joins,
  ...logic,
  ...masks,
  ...norms,
  ...permutations,
  ...pieces,
  ...recurrents,
  ...reductions,
  ...repetition,
  ...replacedParts,
  ...scatters,
  ...shapes,
  ...unary,
  ...windows,
};
