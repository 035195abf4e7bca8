import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository } from '../cache.js';
import type { CaseResult } from '../conformance/case-result.js';
import type { SweepCase, SweepListing } from './sweep-cases.js';

/** Where an operator runs: everywhere compiled, in some forms, only on onnxruntime, or nowhere. */
export type Where = 'compiled' | 'compiled in part' | 'onnxruntime' | 'neither';

export interface OperatorRow {
  readonly operator: string;
  readonly family: SweepCase['family'];
  readonly where: Where;
  readonly cases: number;
  readonly right: number;
  readonly compiled: number;
}

export interface SweepFailure {
  readonly name: string;
  readonly form: string;
  readonly result: CaseResult;
}

export interface SweepTable {
  readonly torch: string;
  readonly totals: { readonly cases: number; readonly right: number; readonly compiled: number };
  readonly operators: readonly OperatorRow[];
  readonly failures: readonly SweepFailure[];
  readonly outside: Readonly<Record<string, string>>;
}

export function sweepTable(
  { torch, outside, cases }: SweepListing,
  results: ReadonlyMap<SweepCase, CaseResult>,
): SweepTable {
  const groups = new Map<string, (readonly [SweepCase, CaseResult])[]>();
  for (const test of cases) {
    const result = results.get(test);
    if (!result) continue;
    const key = `${test.family}/${test.operator}`;
    groups.set(key, [...(groups.get(key) ?? []), [test, result]]);
  }
  const operators = [...groups.values()].map(rowOf);
  const sum = (of: 'cases' | 'right' | 'compiled'): number => operators.reduce((t, r) => t + r[of], 0);
  return {
    torch,
    totals: { cases: sum('cases'), right: sum('right'), compiled: sum('compiled') },
    operators,
    failures: [...groups.values()].flat().flatMap(([{ name, form }, result]) => {
      return result.failure ? [{ name, form, result }] : [];
    }),
    outside,
  };
}

function rowOf(group: readonly (readonly [SweepCase, CaseResult])[]): OperatorRow {
  const [{ operator, family }] = group[0]!;
  const right = group.filter(([, r]) => !r.failure);
  const compiled = right.filter(([, r]) => r.placement === 'compiled').length;
  const touched = right.some(([, r]) => r.placement !== 'onnxruntime');
  const where =
    right.length === 0
      ? 'neither'
      : compiled === group.length
        ? 'compiled'
        : touched
          ? 'compiled in part'
          : 'onnxruntime';
  return { operator, family, where, cases: group.length, right: right.length, compiled };
}

const folder = join(repository, 'fixtures', 'tables');

export async function writeSweepTable(table: SweepTable): Promise<void> {
  const { operators, failures, ...rest } = table;
  const list = (items: readonly unknown[]): string => items.map((r) => `  ${JSON.stringify(r)}`).join(',\n');
  const head = JSON.stringify(rest, undefined, 1).replace(/\n}$/, '');
  await writeFile(
    join(folder, 'aten.json'),
    `${head},\n "operators": [\n${list(operators)}\n ],\n "failures": [\n${list(failures)}\n ]\n}\n`,
  );
  await writeFile(join(folder, 'aten.md'), markdown(table));
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
const share = (n: number, of: number): string => `${n} (${((100 * n) / Math.max(1, of)).toFixed(1)} %)`;

function markdown({ torch, totals, operators, failures, outside }: SweepTable): string {
  const rows = (family: SweepCase['family']): readonly string[] => [
    '| operator | where it runs | cases | right | compiled fully |',
    '|---|---|---|---|---|',
    ...operators
      .filter((r) => r.family === family)
      .map((r) => `| \`${r.operator}\` | ${r.where} | ${r.cases} | ${r.right} | ${r.compiled} |`),
    '',
  ];
  return [
    '# ATen operators',
    '',
    `Each core ATen operator, and the composite ones that networks contain, in several types, shapes and forms of`,
    `arguments: exported by torch ${torch}, converted, run and compared with what eager PyTorch gives, within PyTorch's own`,
    'bounds for the narrowest type, or four units in the last place of the largest result where that is more. Cases whose',
    'extents are symbols are among them. Written by `npx tsx scripts/pt2/sweep.ts`.',
    '',
    `${totals.cases} cases: ${share(totals.right, totals.cases)} right, ${share(totals.compiled, totals.cases)} compiled fully.`,
    '',
    '## Core operators',
    '',
    ...rows('core'),
    '## Composite operators',
    '',
    "By PyTorch's name for the function.",
    '',
    ...rows('composite'),
    '## Core operators without cases',
    '',
    '| operator | why |',
    '|---|---|',
    ...Object.entries(outside).map(([name, why]) => `| \`${name}\` | ${why} |`),
    '',
    ...(failures.length === 0 ? [] : failureRows(failures)),
  ].join('\n');
}

const failureRows = (failures: readonly SweepFailure[]): readonly string[] => [
  '## Failures',
  '',
  '| case | arguments | why |',
  '|---|---|---|',
  ...failures.map(
    ({ name, form, result: { failure, left } }) =>
      `| \`${name}\` | ${cell(form)} | ${cell([`${failure!.stage}: ${failure!.reason}`, left].filter(Boolean).join('; '))} |`,
  ),
  '',
];
