import { join } from 'node:path';
import type { DeviceFunction } from '../../codegen/kernel.js';
import { WeightsWriter } from '../../src/artifact/weights.js';
import { OnnxruntimeProcess } from '../../src/runtime/reference.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';
import { backendFor, type TargetOptions } from '../../src/target.js';
import { weightsIn } from '../conformance/batch.js';
import { prepare } from '../conformance/prepare.js';
import { suite } from '../suite-fetch.js';

/** The functions for the device that the suite's cases need, each text once. */
export async function suiteKernels(
  pattern: RegExp,
  options: TargetOptions,
): Promise<readonly DeviceFunction[]> {
  const backend = await backendFor(options);
  const reference = new OnnxruntimeProcess();
  const found = new Map<string, DeviceFunction>();
  try {
    await withTemporaryDirectory('ait-kernels', async (dir) => {
      const writer = new WeightsWriter(join(dir, 'weights.bin'));
      for (const test of (await suite()).filter((c) => pattern.test(c.name))) {
        const prepared = await prepare(test, 'segment', backend, reference, weightsIn(writer));
        if (prepared.kind !== 'segment') continue;
        for (const f of prepared.code.kernels.flatMap((k) => k.device ?? [])) found.set(f.entry.text, f);
      }
      await writer.finish();
    });
  } finally {
    reference.dispose();
  }
  return [...found.values()];
}

/** Many functions as one source: the compiler's start costs more than most of them. */
export function together(functions: readonly DeviceFunction[]): string {
  const lines = functions.map((f) => f.text.split('\n'));
  const includes = new Set(lines.flat().filter((l) => l.startsWith('#include')));
  const bodies = lines.map((own, i) => {
    const body = own.filter((l) => !l.startsWith('#include')).join('\n');
    return `namespace unit_${i} {\n${body}\n}  // namespace unit_${i}\n`;
  });
  return `${[...includes].join('\n')}\n\n${bodies.join('\n')}`;
}
