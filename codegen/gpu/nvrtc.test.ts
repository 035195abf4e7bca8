import { expect, test } from 'vitest';
import { gpuEnv } from '../../scripts/gpu-env.js';
import { headersDirectory } from '../../src/backend.js';
import { nvrtcTool } from '../../src/gpu-backend.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';
import { build } from '../build.js';
import type { GpuTarget } from '../target.js';
import { findCompiler, probeTarget } from '../toolchain.js';
import { nvrtcCompiler } from './nvrtc.js';

test('one compiler serves several builds, each in a folder of its own', async () => {
  const compiler = await findCompiler();
  const host = await probeTarget(compiler, undefined);
  const target: GpuTarget = { kind: 'gpu', api: 'cuda', archs: ['sm_80'], host };
  const device = await nvrtcCompiler({ library: (await gpuEnv()).nvrtc }, compiler, nvrtcTool);
  await withTemporaryDirectory('ait-nvrtc', async (cacheDirectory) => {
    for (const name of ['first', 'second']) {
      const text = `#include "ait/gpu/device.h"\nextern "C" __global__ void ${name}(int* x) { *x = 1; }\n`;
      const unit = { name: `${name}.device`, text, device: name, archs: target.archs };
      const options = { compiler, target, device, headers: headersDirectory, cacheDirectory };
      expect((await build([unit], options)).fresh).toEqual([unit.name]);
    }
  });
});
