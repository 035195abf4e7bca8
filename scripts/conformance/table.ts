import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository } from '../cache.js';
import type { SuiteCase } from '../suite-fetch.js';
import { passesSomehow, type ReferenceResults } from '../suite-reference.js';
import type { CaseResult, Placement } from './case-result.js';
import type { CaseResults } from './run-cases.js';

/** What a whole run of the suites showed; committed, so that a change shows what it does to them. */
export interface ConformanceTable {
  /** Of the compiler's sources. */
  readonly fingerprint: string;
  readonly onnxruntime: string;
  readonly totals: Totals;
  /** By suite. */
  readonly suites: Readonly<Record<string, Totals>>;
  /** By `suite/name`, sorted. */
  readonly cases: Readonly<Record<string, CaseResult>>;
}

export interface Totals {
  readonly cases: number;
  readonly correct: number;
  readonly compiled: number;
  readonly partly: number;
  readonly onnxruntime: number;
  /** Failed, and onnxruntime by itself does not give the recorded outputs either. */
  readonly neither: number;
  readonly failed: number;
}

const folder = join(repository, 'fixtures', 'tables');
export const tableFile = join(folder, 'conformance.json');

export const readTable = async (): Promise<ConformanceTable> => JSON.parse(await readFile(tableFile, 'utf8'));

export function tableOf(
  results: CaseResults,
  reference: ReferenceResults,
  fingerprint: string,
): ConformanceTable {
  const named = [...results].map(([test, result]) => [keyOf(test), result] as const);
  const cases = Object.fromEntries(named.sort(([a], [b]) => (a < b ? -1 : 1)));
  const suites = [...new Set([...results.keys()].map((t) => t.suite))];
  const totals = (prefix: string): Totals =>
    totalsOf(
      Object.entries(cases).filter(([key]) => key.startsWith(prefix)),
      reference,
    );
  return {
    fingerprint,
    onnxruntime: reference.onnxruntime,
    totals: totals(''),
    suites: Object.fromEntries(suites.map((s) => [s, totals(`${s}/`)])),
    cases,
  };
}

const keyOf = (test: SuiteCase): string => `${test.suite}/${test.name}`;

function totalsOf(cases: readonly (readonly [string, CaseResult])[], reference: ReferenceResults): Totals {
  const placed = (p: Placement): number => cases.filter(([, r]) => r.placement === p && !r.failure).length;
  const failed = cases.filter(([, r]) => r.failure);
  const neither = failed.filter((c) => isBeyondBoth(c, reference)).length;
  return {
    cases: cases.length,
    correct: cases.length - failed.length,
    compiled: placed('compiled'),
    partly: placed('partly'),
    onnxruntime: placed('onnxruntime'),
    neither,
    failed: failed.length - neither,
  };
}

/** What training draws at random nobody can reproduce, compiled or not. */
const isRandom = (key: string): boolean => /\/test_training_dropout(_|$)/.test(key);

/** A case that onnxruntime by itself does not pass either, and that this compiler leaves to it or whose results are random. */
export const isBeyondBoth = (
  [key, { placement, failure }]: readonly [string, CaseResult],
  reference: ReferenceResults,
): boolean => {
  const known = reference.cases[key];
  const able = placement === 'compiled' && !isRandom(key);
  return failure !== undefined && !able && known !== undefined && !passesSomehow(known);
};

export async function writeTable(table: ConformanceTable, reference: ReferenceResults): Promise<void> {
  const { cases, ...rest } = table;
  const lines = Object.entries(cases).map(([key, r]) => `  ${JSON.stringify(key)}: ${JSON.stringify(r)}`);
  const head = JSON.stringify(rest, undefined, 1).replace(/\n}$/, '');
  await writeFile(tableFile, `${head},\n "cases": {\n${lines.join(',\n')}\n }\n}\n`);
  await writeFile(join(folder, 'conformance.md'), markdown(table, reference));
}

const words: Readonly<Record<Placement, string>> = {
  compiled: 'compiled',
  partly: 'compiled in part',
  onnxruntime: 'on onnxruntime',
};

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

function markdown(
  { totals, suites, cases, onnxruntime }: ConformanceTable,
  reference: ReferenceResults,
): string {
  const entries = Object.entries(cases);
  const beyond = entries.filter((c) => isBeyondBoth(c, reference));
  const failed = entries.filter((c) => c[1].failure && !beyond.includes(c));
  const left = entries.filter(([, r]) => !r.failure && r.placement !== 'compiled');
  const share = (n: number, of: number): string => `${n} (${((100 * n) / of).toFixed(1)} %)`;
  const row = (name: string, t: Totals): string =>
    `| ${name} | ${t.cases} | ${share(t.correct, t.cases)} | ${share(t.compiled, t.cases)} | ${t.partly} | ${t.onnxruntime} | ${t.neither} | ${t.failed} |`;
  const list = (
    title: string,
    chosen: readonly (readonly [string, CaseResult])[],
    why: (r: CaseResult, key: string) => string,
  ): readonly string[] =>
    chosen.length === 0
      ? []
      : [
          `## ${title}`,
          '',
          '| case | where | why |',
          '|---|---|---|',
          ...chosen.map(([key, r]) => `| \`${key}\` | ${words[r.placement]} | ${cell(why(r, key))} |`),
          '',
        ];
  return [
    '# ONNX backend suites',
    '',
    'Every case through conversion and run, each of its data sets compared with the recorded outputs within the',
    "case's own tolerance (for bfloat16 outputs the suite runner's 2⁻⁶). Written by `npm run conformance`.",
    '',
    `| suite | cases | correct | compiled fully | in part | on onnxruntime ${onnxruntime} | beyond both | failed |`,
    '|---|---|---|---|---|---|---|---|',
    ...Object.entries(suites).map(([name, t]) => row(name, t)),
    row('all', totals),
    '',
    ...list('Neither this compiler nor onnxruntime gives the recorded outputs', beyond, (r, key) =>
      [
        r.left ?? (isRandom(key) ? 'the results are drawn at random' : undefined),
        `onnxruntime: ${reasonOf(reference, key)}`,
      ]
        .filter(Boolean)
        .join('; '),
    ),
    ...list('Failed', failed, (r) =>
      [`${r.failure!.stage}: ${r.failure!.reason}`, r.left].filter(Boolean).join('; '),
    ),
    ...list('Correct with onnxruntime', left, (r) => r.left ?? ''),
    '## Correct and compiled fully',
    '',
    ...columns(entries.filter(([, r]) => !r.failure && r.placement === 'compiled').map(([key]) => key)),
    '',
  ].join('\n');
}

function reasonOf(reference: ReferenceResults, key: string): string {
  const outcome = reference.cases[key]?.generated;
  if (outcome === undefined || outcome.passes) return '';
  return outcome.stage === 'compare' ? 'other results' : outcome.reason.replace(/\s+/g, ' ').slice(0, 160);
}

/** Many names, by their suite. */
function columns(keys: readonly string[]): readonly string[] {
  const suites = [...new Set(keys.map(suiteOf))];
  return suites.flatMap((name) => {
    const own = keys.filter((key) => suiteOf(key) === name).map((key) => `\`${key.slice(name.length + 1)}\``);
    return [`${name}: ${own.join(', ')}`, ''];
  });
}

const suiteOf = (key: string): string => key.slice(0, key.indexOf('/'));
