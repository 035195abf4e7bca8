import { activations } from './activations.js';
import { adaptivePooling } from './adaptive-pooling.js';
import { advancedIndexing } from './advanced-indexing.js';
import { arithmetics } from './arithmetic.js';
import type { AtenMap } from './aten-node.js';
import { attentions } from './attention.js';
import { bags } from './bags.js';
import { batchNorms } from './batch-norms.js';
import { composedFunctions } from './composed-functions.js';
import { convolutions } from './convolutions.js';
import { copies } from './copies.js';
import { creation } from './creation.js';
import { detection } from './detection.js';
import { diagonals } from './diagonals.js';
import { distances } from './distances.js';
import { sumsOfProducts } from './einsum.js';
import { gammaFunctions } from './gamma-functions.js';
import { indexing } from './indexing.js';
import { joins } from './joins.js';
import { linearSystems } from './linear-systems.js';
import { logic } from './logic.js';
import { losses } from './losses.js';
import { masks } from './masks.js';
import { norms } from './norms.js';
import { ordering } from './ordering.js';
import { padding } from './padding.js';
import { permutations } from './permutations.js';
import { pieces } from './pieces.js';
import { pooling } from './pooling.js';
import { products } from './products.js';
import { recurrents } from './recurrent.js';
import { reductions } from './reductions.js';
import { repetition } from './repetition.js';
import { replacedParts } from './replaced-parts.js';
import { resampling } from './resampling.js';
import { runningTotals } from './running.js';
import { scatters } from './scatters.js';
import { sets } from './sets.js';
import { shapes } from './shapes.js';
import { spectra } from './spectra.js';
import { statistics } from './statistics.js';
import { unary } from './unary.js';
import { vectorNorms } from './vector-norms.js';
import { windows } from './windows.js';

const converters: AtenMap = {
  ...activations,
  ...adaptivePooling,
  ...advancedIndexing,
  ...arithmetics,
  ...attentions,
  ...bags,
  ...batchNorms,
  ...composedFunctions,
  ...convolutions,
  ...copies,
  ...creation,
  ...detection,
  ...diagonals,
  ...distances,
  ...gammaFunctions,
  ...indexing,
  ...joins,
  ...linearSystems,
  ...logic,
  ...losses,
  ...masks,
  ...norms,
  ...ordering,
  ...padding,
  ...permutations,
  ...pieces,
  ...pooling,
  ...products,
  ...recurrents,
  ...reductions,
  ...repetition,
  ...replacedParts,
  ...resampling,
  ...runningTotals,
  ...scatters,
  ...sets,
  ...shapes,
  ...sumsOfProducts,
  ...spectra,
  ...statistics,
  ...unary,
  ...vectorNorms,
  ...windows,
};

const views =
  /^(view|expand|permute|t|transpose|slice|select|unsqueeze|squeeze|detach|alias|unbind|as_strided|diagonal|unfold|split)($|\.)/;

/** Values share no memory here: an operator that copies does what the one does that makes a view. */
const copying: AtenMap = Object.fromEntries(
  Object.entries(converters).flatMap(([name, c]) =>
    views.test(name) ? [[name.replace(views, '$1_copy$2'), c]] : [],
  ),
);

/** Every ATen operator that has a converter. */
export const atenConverters: AtenMap = { ...copying, ...converters };
