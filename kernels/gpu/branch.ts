import { cpp, str } from '../../codegen/cpp.js';
import { defineGpuKernel } from '../../codegen/gpu/builder.js';
import { fail } from '../../src/ops/control-flow.js';
import { ifTraits, refuseBranch } from '../shared/branch.js';

export const ifKernel = defineGpuKernel({
  ...ifTraits,
  refuse: refuseBranch,
});

/** The host has decided that this runs, so it ends the run without the device. */
export const failKernel = defineGpuKernel({
  op: fail,
  emit: ({ attrs }, k) => {
    k.before(cpp`ctx.fail(${str(attrs.message)});`);
    return [];
  },
});
