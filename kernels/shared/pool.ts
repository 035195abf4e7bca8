import { defineTraits } from '../../codegen/kernel.js';
import { mul, numel } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { pool } from '../../src/ops/pool.js';
import { tapsOf } from './window.js';

export const poolTraits = defineTraits({
  op: pool,
  work: ({ outputs, attrs }) => mul(numel(shapeOf(outputs[0]!)), tapsOf(attrs)),
});
