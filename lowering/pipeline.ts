import type { Graph, Node } from '../src/ir/graph.js';
import type { Literal } from '../src/ir/literal.js';
import type { Pass } from '../src/ir/pass.js';
import { attentionParts } from './attention-parts.js';
import { channelsLast } from './channels-last.js';
import { cse } from './cse.js';
import { decompose } from './decompose.js';
import { foldAffine } from './fold-affine.js';
import { foldConstants } from './fold-constants.js';
import { fuseEpilogue } from './fuse-epilogue.js';
import { fusePointwise } from './fuse-pointwise.js';
import { gatherRows } from './gather-rows.js';
import { mergeProducts } from './merge-products.js';
import { patches } from './patches.js';
import { narrowFloats, type PrecisionOptions } from './precision.js';
import { recogniseAttention } from './recognise-attention.js';
import { recogniseGroups } from './recognise-groups.js';
import { recogniseLookup } from './recognise-lookup.js';
import { expandQuantised, recogniseQuantised } from './recognise-quantised.js';
import { recogniseReductions } from './recognise-reductions.js';
import { rowProducts } from './row-products.js';
import { simplify } from './simplify.js';
import { sinkTransposes } from './sink-transposes.js';
import { splitProducts } from './split-products.js';
import { roundOperands, type TensorFloatOptions } from './tf32.js';

export interface PipelineOptions {
  /** The results of a graph without inputs. */
  readonly fold: (g: Graph) => Promise<readonly Literal[]>;
  /** Whether the target compiles a node: fusing must not yield one that it would have to hand back. */
  readonly compiles: (n: Node) => boolean;
  /** What the target stores floats in, where that is not what the model says. */
  readonly narrow?: Pick<PrecisionOptions, 'precision' | 'keeps'> | undefined;
  /** Products of f32 may be rounded as matrix units do. */
  readonly tf32?: TensorFloatOptions | undefined;
}

/** The passes in the order in which they run. */
export const pipeline = ({ fold, compiles, narrow, tf32 }: PipelineOptions): readonly Pass[] => [
  simplify,
  cse,
  // What the model says in many nodes.
  recogniseQuantised(compiles),
  expandQuantised,
  foldConstants(fold),
  simplify,
  recogniseReductions,
  recogniseGroups,
  recogniseLookup,
  recogniseAttention(compiles),
  ...(narrow ? [narrowFloats({ ...narrow, compiles }), simplify] : []),
  ...(tf32 ? [roundOperands(tf32)] : []),
  patches,
  rowProducts,
  simplify,
  // Where its axes lie. What the first round of transposes leaves as reshapes can free others.
  channelsLast,
  sinkTransposes,
  simplify,
  sinkTransposes,
  simplify,
  cse,
  // What runs together. A pointwise node made of several may fit an epilogue that none of them did.
  fuseEpilogue(compiles),
  splitProducts,
  foldAffine,
  fusePointwise,
  simplify,
  fuseEpilogue(compiles),
  decompose,
  mergeProducts(compiles),
  attentionParts(compiles),
  gatherRows(compiles),
];
