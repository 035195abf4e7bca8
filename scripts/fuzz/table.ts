import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository } from '../cache.js';
import { isBug, type Outcome } from './attempt.js';
import type { Result } from './pool.js';
import { isRunBug, type RunReply } from './run-result.js';

/** What a whole run of the fuzzer showed. */
export interface FuzzTable {
  readonly seed: number;
  readonly machine: string;
  readonly models: number;
  readonly seconds: number;
  readonly results: readonly Result[];
  readonly runs: readonly { readonly index: number; readonly what: string; readonly reply: RunReply }[];
  /** Files that conversions left outside their outputs. */
  readonly stray: readonly string[];
}

/** One word or two for an outcome. */
function outcomeOf(o: Outcome): string {
  switch (o.kind) {
    case 'partitioned':
      return o.compiled === o.nodes
        ? 'compiled'
        : o.compiled > 0
          ? 'compiled in part'
          : 'left to onnxruntime';
    case 'refused':
      return `refused: ${o.code}`;
    default:
      return o.kind.toUpperCase();
  }
}

export function tally(texts: readonly string[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

export const outcomes = (results: readonly Result[]): ReturnType<typeof tally> =>
  tally(results.map((r) => outcomeOf(r.outcome)));

export const replies = (runs: FuzzTable['runs']): ReturnType<typeof tally> =>
  tally(
    runs.map(({ reply: { kind, detail } }) =>
      kind === 'conversion refused' || kind === 'run refused' ? `${kind}: ${detail}` : kind,
    ),
  );

export async function writeFuzzTable(table: FuzzTable): Promise<void> {
  await writeFile(join(repository, 'fixtures', 'tables', 'fuzz.md'), markdown(table));
}

function markdown({ seed, machine, models, seconds, results, runs, stray }: FuzzTable): string {
  const rows = (of: ReturnType<typeof tally>): readonly string[] =>
    of.map(([what, n]) => `| ${what} | ${n} |`);
  const slowest = Math.max(0, ...results.map((r) => r.ms));
  const bugs = [
    ...results
      .filter((r) => isBug(r.outcome))
      .map((r) => ({ index: r.index, what: r.what, why: JSON.stringify(r.outcome) })),
    ...runs
      .filter((r) => isRunBug(r.reply))
      .map((r) => ({ index: r.index, what: r.what, why: `${r.reply.kind} ${r.reply.detail}` })),
  ];
  const kinds = [...new Set(results.flatMap((r) => r.mutations))].sort();
  const byKind = kinds.map((kind) => {
    const own = results.filter((r) => r.mutations.includes(kind));
    const refused = own.filter((r) => r.outcome.kind === 'refused').length;
    const bad = own.filter((r) => isBug(r.outcome)).length;
    return `| ${kind} | ${own.length} | ${refused} | ${own.length - refused - bad} | ${bad} |`;
  });
  return [
    '# Mutated models',
    '',
    `${results.length} mutants of ${models} models of the ONNX suites and the zoo, seed ${seed}: imported, lowered, partitioned and`,
    `their code generated, in child processes with 10 s for each mutant; ${(results.length / seconds).toFixed(0)} a second, the slowest took`,
    `${(slowest / 1000).toFixed(1)} s. Constants were folded only in the sample that was run. ${machine}.`,
    'Written by `npm run fuzz`.',
    '',
    '| outcome | mutants |',
    '|---|---|',
    ...rows(outcomes(results)),
    '',
    `## Compiled and run: a sample of ${runs.length}`,
    '',
    'Results are compared with onnxruntime where it takes the mutant.',
    `Files outside the output directories: ${stray.length === 0 ? 'none' : stray.length}.`,
    '',
    '| outcome | mutants |',
    '|---|---|',
    ...rows(replies(runs)),
    '',
    ...(bugs.length === 0
      ? []
      : [
          '## Bugs',
          '',
          '| mutant | of | what |',
          '|---|---|---|',
          ...bugs.map((b) => `| ${b.index} | ${b.what} | ${b.why.replaceAll('|', '\\|')} |`),
          '',
        ]),
    '## By mutation',
    '',
    '| mutation | mutants | refused | taken | bugs |',
    '|---|---|---|---|---|',
    ...byKind,
    '',
  ].join('\n');
}
