import { cpp, str } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { fail } from '../../src/ops/control-flow.js';
import { ifTraits, refuseBranch } from '../shared/branch.js';

export const ifKernel = defineKernel({
  ...ifTraits,
  refuse: refuseBranch,
});

export const failKernel = defineKernel({
  op: fail,
  emit: ({ attrs }) => cpp`ctx.fail(${str(attrs.message)});`,
});
