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
  /** Why some cases fail or are not compiled. */
  readonly reasons: readonly string[];
}

export interface SweepFailure {
  readonly name: string;
  readonly form: string;
  readonly result: CaseResult;
}

interface Totals {
  readonly cases: number;
  readonly right: number;
  readonly compiled: number;
}

export interface SweepTable {
  readonly torch: string;
  readonly totals: Totals;
  readonly core: Totals;
  /** Cases in which the order of equal elements is left open, and in which eager PyTorch itself is off. */
  readonly special: { readonly ties: number; readonly exact: number };
  readonly operators: readonly OperatorRow[];
  readonly failures: readonly SweepFailure[];
  readonly outside: Readonly<Record<string, string>>;
}

export function sweepTable(
  { torch, core, outside, cases }: SweepListing,
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
  const missing = core.filter((name) => !groups.has(`core/${name}`) && outside[name] === undefined);
  const totals = (rows: readonly OperatorRow[]): Totals => {
    const sum = (of: keyof Totals): number => rows.reduce((t, r) => t + r[of], 0);
    return { cases: sum('cases'), right: sum('right'), compiled: sum('compiled') };
  };
  return {
    torch,
    totals: totals(operators),
    core: totals(operators.filter((r) => r.family === 'core')),
    special: { ties: cases.filter((c) => c.ties).length, exact: cases.filter((c) => c.exact).length },
    operators,
    failures: [...groups.values()].flat().flatMap(([{ name, form }, result]) => {
      return result.failure ? [{ name, form, result: anywhere(result) }] : [];
    }),
    outside: { ...outside, ...Object.fromEntries(missing.map((name) => [name, 'no call of it was found'])) },
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
  const reasons = [...new Set(group.flatMap(([, r]) => reasonOf(r)))];
  return { operator, family, where, cases: group.length, right: right.length, compiled, reasons };
}

/** Without what differs between cases: numbers, names of nodes, places on this machine. */
function reasonOf({ failure, left }: CaseResult): readonly string[] {
  if (!failure) return left === undefined ? [] : [left];
  if (failure.stage === 'compare') return ['gives other values'];
  const plain = failure.reason.replace(/\("[^"]*"\)/g, '').replace(/torch\.ops\.aten\.[\w.]+: /g, '');
  const [, missing] = /^aten\.([\w.]+) *$/.exec(plain.trim()) ?? [];
  return [missing === undefined ? plain.replace(/^aten\.[\w.]+ *: */, '').trim() : 'no converter'];
}

/** Names of temporary folders say nothing elsewhere. */
function anywhere(result: CaseResult): CaseResult {
  const { failure } = result;
  if (!failure) return result;
  const reason = failure.reason.replace(/(\/[\w.-]+)*\/ait-conformance[\w./-]*/g, 'the part left to it');
  return { ...result, failure: { ...failure, reason } };
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
const sums = (t: Totals): string =>
  `${t.cases} cases: ${share(t.right, t.cases)} right, ${share(t.compiled, t.cases)} compiled fully`;

function markdown(table: SweepTable): string {
  const { torch, totals, core, special, operators, failures, outside } = table;
  const rows = (family: SweepCase['family']): readonly string[] => [
    '| operator | where it runs | cases | right | compiled fully | what is left |',
    '|---|---|---|---|---|---|',
    ...operators
      .filter((r) => r.family === family)
      .map((r) => {
        const left = cell(r.reasons.join('; '));
        return `| \`${r.operator}\` | ${r.where} | ${r.cases} | ${r.right} | ${r.compiled} | ${left} |`;
      }),
    '',
  ];
  return [
    '# ATen operators',
    '',
    'Each core ATen operator, and the composite ones that networks contain, in several types, shapes and forms of',
    `arguments: exported by torch ${torch}, converted, run and compared with what eager PyTorch gives. Cases whose extents`,
    'are symbols are among them; weights keep their extents, as parameters do. Forms that draw at random or update',
    'statistics for training are left out. Written by `npx tsx scripts/pt2/sweep.ts`.',
    '',
    `**${sums(totals)}.** Core operators: ${sums(core)}.`,
    '',
    'Where it runs: *compiled* in every form, *compiled in part* where some forms are not right or run on onnxruntime,',
    '*onnxruntime* where none is compiled, *neither* where no form is right.',
    '',
    '**Bounds.** A result y may be off by rtol |y| + atol. With ε the spacing at 1 of the narrowest floating type among a',
    "case's tensors, rtol is 16 ε for single and double precision and 2 ε for half precision; atol is as much, or, where a",
    'result is computed from n > 1 elements (those that its gradient reaches), 4 √n ε of the largest result if that is more:',
    'what n roundings add up to as a random walk. Half precision is summed in single precision, so there it is four units of',
    'its own and √n of single precision. Whole numbers and truth values must be equal.',
    '',
    `In ${special.ties} cases equal elements may be chosen in any order (\`topk\`, \`sort\` that is not stable, \`median\`, \`mode\`): there`,
    'the values must agree, each place must lead to an equal element, and no place may come twice. In',
    `${special.exact} cases of half precision eager PyTorch is itself off by more than the bounds from what it computes of the same`,
    'inputs in double precision; there the latter, rounded, is expected.',
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
