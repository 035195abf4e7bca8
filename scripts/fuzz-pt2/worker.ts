import { importProgram } from '../../importers/fx/import.js';
import { exportOnnx } from '../../importers/onnx/export.js';
import { isExport, openExport } from '../../importers/pt2/archive.js';
import { exitCodeOf } from '../../src/cli/exit-codes.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { atenConverters } from '../../src/ops/aten/index.js';
import { memoryBlob } from '../../src/support/blob.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { reasonOf } from '../fuzz/attempt.js';
import { type Mutant, mutantOf } from './mutant.js';

/** The child process that reads mutants, which may hang or kill it. */

export interface Batch {
  readonly files: readonly string[];
  readonly seed: number;
  readonly from: number;
  readonly to: number;
}

export interface Tried {
  readonly index: number;
  readonly what: string;
  readonly kinds: readonly string[];
  /** `taken`, the code of the error for the user, or what is a bug. */
  readonly outcome: string;
  readonly bug: boolean;
  readonly ms: number;
}

const mostBytes = 1.5 * 2 ** 30;

function attempt({ bytes, beside }: Mutant): { readonly outcome: string; readonly bug: boolean } {
  try {
    const file = memoryBlob(bytes);
    if (!isExport(file)) return { outcome: 'refused: no export', bug: false };
    const opened = openExport(file, undefined, () => beside && memoryBlob(beside));
    opened.samples?.inputs();
    opened.samples?.outputs();
    const { graph } = importProgram(opened, {
      converters: atenConverters,
      warn: () => {},
    });
    encodeModel(exportOnnx(graph));
    return { outcome: 'taken', bug: false };
  } catch (e) {
    if (e instanceof CompileError && exitCodeOf(e) === 2)
      return { outcome: `refused: ${e.code}`, bug: false };
    return { outcome: reasonOf(e), bug: true };
  }
}

process.on('message', ({ files, seed, from, to }: Batch) => {
  for (let index = from; index < to; index++) {
    process.send!({ index });
    const mutant = mutantOf(files, seed, index);
    const { source, kinds } = mutant;
    const what = `${source.replace(/^.*\//, '')}: ${kinds.join(', ')}`;
    const start = performance.now();
    let { outcome, bug } = attempt(mutant);
    const ms = performance.now() - start;
    const rss = process.memoryUsage.rss();
    if (rss > mostBytes) [outcome, bug] = [`${(rss / 2 ** 20).toFixed(0)} MiB in use`, true];
    process.send!({ index, what, kinds, outcome, bug, ms } satisfies Tried);
  }
});
process.on('disconnect', () => process.exit());
