import { argReduce } from './arg-reduce.js';
import { attention } from './attention.js';
import { maxRoiPool, nonMaxSuppression, roiAlign } from './boxes.js';
import { bitcast, cast } from './cast.js';
import { col2im } from './col2im.js';
import { concat } from './concat.js';
import { constant, dims } from './constant.js';
import { fail, if_, loop, scan } from './control-flow.js';
import { conv } from './conv.js';
import { convInteger } from './conv-integer.js';
import { convTranspose } from './conv-transpose.js';
import { cumulate } from './cumulate.js';
import { deformConv } from './deform-conv.js';
import { det } from './det.js';
import { dropout } from './dropout.js';
import { dynamicQuantizeLstm } from './dynamic-quantize-lstm.js';
import { einsum } from './einsum.js';
import { expand } from './expand.js';
import { foreign } from './foreign.js';
import { dft, stft } from './fourier.js';
import { gather, gatherElements, gatherNd } from './gather.js';
import { linearAttention } from './linear-attention.js';
import { nllLoss } from './loss.js';
import { localResponseNorm, lpNorm } from './lp-norm.js';
import { matmul } from './matmul.js';
import { matmulInteger } from './matmul-integer.js';
import { maxUnpool } from './max-unpool.js';
import { compress, compressCount, nonzero, nonzeroCount } from './nonzero.js';
import { groupNorm, layerNorm, rmsNorm } from './norm.js';
import { oneHot } from './one-hot.js';
import type { OpDef } from './op.js';
import { optional } from './optional.js';
import { pad } from './pad.js';
import { pointwise } from './pointwise.js';
import { pool } from './pool.js';
import { dequantize, quantize } from './quantize.js';
import { iota, range, rangeCount } from './range.js';
import { recurrent } from './recurrent.js';
import { reduce } from './reduce.js';
import { reshape } from './reshape.js';
import { resize, resizeExtents } from './resize.js';
import { reverseSequence } from './reverse-sequence.js';
import { affineGrid, gridSample } from './sampling.js';
import { scatterElements, scatterNd } from './scatter.js';
import { sequence } from './sequence.js';
import { shapeOfValue } from './shape.js';
import { slice } from './slice.js';
import { softmax } from './softmax.js';
import { tensorScatter } from './tensor-scatter.js';
import { tfidf } from './tfidf.js';
import { topK } from './top-k.js';
import { transpose } from './transpose.js';
import { treeEnsemble } from './tree-ensemble.js';
import { eye, trilu } from './triangular.js';
import { unique } from './unique.js';
import { melWeights, windowFunction } from './window-function.js';

/** Every operator of the IR. */
export const operators: readonly OpDef[] = [
  affineGrid,
  argReduce,
  attention,
  bitcast,
  cast,
  col2im,
  compress,
  compressCount,
  concat,
  constant,
  conv,
  convInteger,
  convTranspose,
  cumulate,
  deformConv,
  dequantize,
  det,
  dft,
  dims,
  dropout,
  dynamicQuantizeLstm,
  einsum,
  expand,
  eye,
  fail,
  foreign,
  gather,
  gatherElements,
  gatherNd,
  gridSample,
  groupNorm,
  if_,
  iota,
  layerNorm,
  linearAttention,
  localResponseNorm,
  loop,
  lpNorm,
  matmul,
  matmulInteger,
  maxRoiPool,
  maxUnpool,
  melWeights,
  nllLoss,
  nonMaxSuppression,
  nonzero,
  nonzeroCount,
  oneHot,
  optional,
  pad,
  pointwise,
  pool,
  quantize,
  range,
  rangeCount,
  recurrent,
  reduce,
  reshape,
  resize,
  resizeExtents,
  reverseSequence,
  rmsNorm,
  roiAlign,
  scan,
  scatterElements,
  scatterNd,
  sequence,
  shapeOfValue,
  slice,
  softmax,
  stft,
  tensorScatter,
  tfidf,
  topK,
  transpose,
  treeEnsemble,
  trilu,
  unique,
  windowFunction,
];
