import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildFailure, build } from '../../codegen/build.js';
import type { WeightStore } from '../../codegen/host-program.js';
import { emitModule, type SourceFile } from '../../codegen/module.js';
import type { WeightsWriter } from '../../src/artifact/weights.js';
import type { Backend } from '../../src/backend.js';
import { LIBRARY_FILE } from '../../src/runtime/engine-library.js';
import { cacheDirectory } from '../../src/support/env.js';
import type { PreparedCase } from './prepare.js';

/** The weights of a batch's cases, in one file. */
export function weightsIn(writer: WeightsWriter): WeightStore {
  let count = 0;
  return {
    get bytes() {
      return writer.bytes;
    },
    append: (l) => {
      const read = (offset = 0, length = l.byteLength - offset): Uint8Array => l.read(offset, length);
      return writer.append(`constant_${count++}`, { byteLength: l.byteLength, read });
    },
  };
}

/** Builds one library of many cases in `directory`; returns those whose code did not compile, with the message. */
export async function buildBatch(
  cases: readonly PreparedCase[],
  backend: Backend,
  directory: string,
  weightsBytes: number,
): Promise<ReadonlyMap<PreparedCase, string>> {
  const bad = new Map<PreparedCase, string>();
  for (;;) {
    const good = cases.filter((c) => !bad.has(c));
    if (good.length === 0) return bad;
    const codes = good.map((c) => c.code);
    const sources = emitModule(codes, backend.target, weightsBytes);
    try {
      const { library } = await build(sources, { ...backend, cacheDirectory: cacheDirectory(), jobs: 1 });
      await mkdir(directory, { recursive: true });
      await writeFile(join(directory, LIBRARY_FILE), library);
      return bad;
    } catch (e) {
      if (!(e instanceof BuildFailure)) throw e;
      for (const [name, message] of e.failures)
        for (const c of blamed(good, sources.find((s) => s.name === name)!, message)) bad.set(c, message);
    }
  }
}

function blamed(
  cases: readonly PreparedCase[],
  source: SourceFile,
  message: string,
): readonly PreparedCase[] {
  const entriesOf = ({ code }: PreparedCase): readonly string[] =>
    code.kernels.flatMap((k) => [k.entry.text, ...(k.device ?? []).map((f) => f.entry.text)]);
  const own = cases.filter((c) => entriesOf(c).some((entry) => source.text.includes(`void ${entry}(`)));
  const named = cases.filter((c) => new RegExp(`\\b${c.code.name}\\b`).test(message));
  const found = source.name === 'program.cpp' ? named : own;
  return found.length > 0 ? found : cases;
}
