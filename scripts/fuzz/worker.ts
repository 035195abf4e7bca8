import { cpuBackend } from '../../src/cpu-backend.js';
import { attempt, type Outcome, type Stage } from './attempt.js';
import { type Material, mutantOf } from './mutant.js';

/** The child process that tries mutants, which may hang or kill it. It answers one batch at a time. */

export interface Batch {
  readonly material: Material;
  readonly seed: number;
  readonly indices: readonly number[];
}

export type Said =
  | { readonly kind: 'stage'; readonly index: number; readonly stage: Stage; readonly what: string }
  | {
      readonly kind: 'outcome';
      readonly index: number;
      readonly outcome: Outcome;
      readonly ms: number;
      readonly what: string;
      readonly mutations: readonly string[];
    };

/** More memory than any of these small models may need. */
const mostBytes = 1.5 * 2 ** 30;

const say = (said: Said): void => {
  process.send!(said);
};

async function run({ material, seed, indices }: Batch): Promise<void> {
  const backend = await cpuBackend('native');
  for (const index of indices) {
    const { bytes, source, kinds } = mutantOf(material, seed, index);
    const what = `${source.split('/').slice(-2).join('/')}: ${kinds.join(', ')}`;
    const start = performance.now();
    let outcome = await attempt(bytes, '/nonexistent', backend, (stage) =>
      say({ kind: 'stage', index, stage, what }),
    );
    const rss = process.memoryUsage.rss();
    if (rss > mostBytes)
      outcome = { kind: 'memory', stage: 'import', reason: `${(rss / 2 ** 20).toFixed(0)} MiB in use` };
    const ms = performance.now() - start;
    say({ kind: 'outcome', index, outcome, ms, what, mutations: kinds });
    if (rss > mostBytes) process.exit(0);
  }
}

process.on('message', (batch: Batch) => void run(batch));
process.on('disconnect', () => process.exit());
