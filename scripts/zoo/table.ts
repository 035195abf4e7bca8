import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository } from '../cache.js';
import { isFullyCompiled, isRight, type ZooOutcome } from './run-model.js';
import type { ZooRun } from './worker.js';

/** What a run of the whole zoo showed; committed. */
export interface ZooTable {
  /** Of the compiler's sources. */
  readonly fingerprint: string;
  readonly totals: {
    readonly models: number;
    readonly right: number;
    readonly fully: number;
    /** With at least 95 % of the floating-point work compiled. */
    readonly mostly: number;
  };
  readonly models: Readonly<Record<string, ZooOutcome>>;
}

const folder = join(repository, 'fixtures', 'tables');

export const readZooTable = async (): Promise<ZooTable> =>
  JSON.parse(await readFile(join(folder, 'zoo.json'), 'utf8'));

export function zooTable(models: ReadonlyMap<string, ZooOutcome>, fingerprint: string): ZooTable {
  const outcomes = [...models.values()];
  const results = outcomes.flatMap((o) => ('result' in o ? [o.result] : []));
  return {
    fingerprint,
    totals: {
      models: outcomes.length,
      right: outcomes.filter(isRight).length,
      fully: results.filter(isFullyCompiled).length,
      mostly: results.filter((r) => r.work >= 0.95).length,
    },
    models: Object.fromEntries(models),
  };
}

export async function writeZooTable(table: ZooTable): Promise<void> {
  await writeFile(join(folder, 'zoo.json'), `${JSON.stringify(table, rounded, 1)}\n`);
  await writeFile(join(folder, 'zoo.md'), markdown(table));
}

/** Digits that no run repeats are noise in a diff. */
const rounded = (_: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(3)) : value;

const percent = (share: number): string => `${(100 * share).toFixed(share > 0.999 && share < 1 ? 2 : 1)} %`;
const mebibytes = (bytes: number | undefined): string =>
  bytes === undefined ? 'by the data' : `${(bytes / 2 ** 20).toFixed(2)} MiB`;

export function markdown({ models, totals }: ZooTable): string {
  const rows = Object.entries(models).map(([name, outcome]) => {
    if ('error' in outcome) return `| ${name} | – | – | – | ${cell(outcome.error)} | – | – |`;
    const { nodes, work, seconds, arena, runs, left } = outcome.result;
    const share = `${nodes.compiled} of ${nodes.all}${left === undefined ? '' : ` (${cell(left)})`}`;
    const full = nodes.compiled === nodes.all ? 'yes' : 'no';
    const errors = runs.map(verdict).join('<br>');
    return `| ${name} | ${full} | ${share} | ${percent(work)} | ${errors} | ${seconds.toFixed(1)} | ${mebibytes(arena)} |`;
  });
  return [
    '# Trained models',
    '',
    'Every model of `fixtures/zoo.json` converted and run, on its own inputs and on other sizes where its dimensions',
    'are symbolic, against onnxruntime without graph optimisations. The error shown is the largest of the outputs by',
    'its share of the tolerance. Seconds are those of the conversion with whatever the cache held, the arena is that',
    'of the first inputs. Written by `npm run zoo`.',
    '',
    `${totals.models} models: ${totals.right} right, ${totals.fully} compiled fully, ${totals.mostly} with at least 95 % of their floating-point work compiled.`,
    '',
    '| model | compiled fully | nodes compiled | work compiled | largest error / tolerance | seconds | arena |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

function verdict({ shapes, error, outputs }: ZooRun): string {
  if (error !== undefined) return `${shapes}: ${cell(error)}`;
  const [worst] = outputs.toSorted((a, b) => b.maxAbs / b.atol - a.maxAbs / a.atol);
  const failed = outputs.filter((o) => !o.pass);
  const figures = worst ? `${worst.maxAbs.toExponential(1)} / ${worst.atol.toExponential(1)}` : 'no outputs';
  const wrong = failed.map((o) => `**${cell(o.name)} wrong**${o.problem ? ` (${cell(o.problem)})` : ''}`);
  return [`${shapes}: ${figures}`, ...wrong].join(', ');
}
