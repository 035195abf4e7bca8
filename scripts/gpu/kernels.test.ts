import { describe, expect, test } from 'vitest';
import { findHipcc } from '../../codegen/gpu/hipcc.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';
import { suiteKernels, together } from './kernels.js';
import { hipccResources, nvrtcResources } from './resources.js';

/** A case of each family. */
const cases =
  /^test_(matmul_2d|basic_conv_with_padding|attention_4d|layer_normalization_2d_axis1|softmax_axis_1|transpose_all_permutations_1|reduce_sum_keepdims_example|maxpool_2d_default|resize_upsample_sizes_nearest|top_k|gather_0|gelu_default_1)$/;
const families = [
  ...['matmul', 'conv', 'attention', 'layer_norm', 'softmax', 'transpose'],
  ...['reduce', 'pool', 'resize', 'top_k', 'gather', 'pointwise'],
];

const hasHipcc = await findHipcc().then(
  () => true,
  () => false,
);

describe('kernels compile where there is no GPU, and keep what they compute with in registers', () => {
  const devices = [
    { target: 'cuda', archs: ['sm_80', 'sm_90a'], compiler: nvrtcResources, there: true },
    { target: 'rocm', archs: ['gfx90a'], compiler: hipccResources, there: hasHipcc },
  ] as const;

  test.each(devices.filter((d) => d.there))(
    '$target',
    async ({ target, archs, compiler }) => {
      const functions = await suiteKernels(cases, { target, arch: archs.join(','), precision: 'f16' });
      const names = functions.map((f) => f.entry.text);
      for (const family of families)
        expect(
          names.filter((n) => n.startsWith(`device_${family}_`)),
          family,
        ).not.toEqual([]);
      await withTemporaryDirectory('ait-kernels', async (dir) => {
        const compile = await compiler(dir);
        for (const arch of archs) {
          const own = functions.filter((f) => f.archs.includes(arch));
          const found = await compile(together(own), arch);
          if ('error' in found) throw new Error(found.error);
          expect([...found.keys()].sort()).toEqual(own.map((f) => f.entry.text).sort());
          expect([...found].filter(([, r]) => r.stack > 0)).toEqual([]);
        }
      });
    },
    600_000,
  );
});
