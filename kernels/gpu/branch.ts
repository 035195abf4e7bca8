import { cpp, str } from '../../codegen/cpp.js';
import { defineGpuKernel } from '../../codegen/gpu/builder.js';
import { fail, if_ } from '../../src/ops/control-flow.js';
import { refuseBranch } from '../cpu/branch.js';

export const ifKernel = defineGpuKernel({
  op: if_,
  refuse: refuseBranch,
  branches: ({ attrs }) => [attrs.thenBranch, attrs.elseBranch],
});

/** The host has decided that this runs, so it ends the run without the device. */
export const failKernel = defineGpuKernel({
  op: fail,
  emit: ({ attrs }, k) => {
    k.before(cpp`ctx.fail(${str(attrs.message)});`);
    return [];
  },
});
