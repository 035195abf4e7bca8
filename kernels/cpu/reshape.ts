import { defineKernel } from '../../codegen/kernel.js';
import { reshape } from '../../src/ops/reshape.js';

export const reshapeKernel = defineKernel({ op: reshape, alias: () => true, work: () => 0 });
