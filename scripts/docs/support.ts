import { readTable } from '../conformance/table.js';
import { hasOnnx, isFullyCompiled, isRight, readModelRows } from '../pt2/models-table.js';
import { suite } from '../suite-fetch.js';
import { readZooTable } from '../zoo/table.js';

/** Nearly all is not all. */
const percent = (part: number, of: number): string => {
  const share = part / of;
  return `${(100 * share).toFixed(share > 0.999 && share < 1 ? 2 : 1)} %`;
};

/** The ONNX backend suites, one line each. */
export async function suites(): Promise<string> {
  const { suites: parts, totals, onnxruntime } = await readTable();
  const rows = [...Object.entries(parts), ['all', totals] as const].map(
    ([name, t]) =>
      `| ${name} | ${t.cases} | ${t.correct} (${percent(t.correct, t.cases)}) | ${t.compiled} (${percent(t.compiled, t.cases)}) | ${t.partly + t.onnxruntime} | ${t.neither} | ${t.failed} |`,
  );
  return [
    `| suite | cases | correct | of these without onnxruntime | with onnxruntime | neither we nor onnxruntime ${onnxruntime} | wrong |`,
    '|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

/** Operators by how many of the node suite's cases with them ran compiled. */
export async function operators(): Promise<string> {
  const { cases } = await readTable();
  const counts = new Map<string, { compiled: number; all: number }>();
  for (const { suite: name, name: test, operators: used } of await suite()) {
    // An expanded case is about the operator that it no longer holds.
    if (name !== 'node' || test.endsWith('_expanded')) continue;
    const result = cases[`node/${test}`];
    const compiled = result?.placement === 'compiled' && result.failure === undefined;
    for (const operator of used) {
      const count = counts.get(operator) ?? { compiled: 0, all: 0 };
      counts.set(operator, { compiled: count.compiled + (compiled ? 1 : 0), all: count.all + 1 });
    }
  }
  const sorted = [...counts].sort(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
  const whole = sorted.filter(([, c]) => c.compiled === c.all).map(([name]) => `\`${name}\``);
  const partly = sorted.filter(([, c]) => c.compiled > 0 && c.compiled < c.all);
  const left = sorted.filter(([, c]) => c.compiled === 0).map(([name]) => `\`${name}\``);
  const shares = partly.map(([name, c]) => `\`${name}\` ${c.compiled} of ${c.all}`);
  return [
    ['Compiled in every case', whole],
    ['Compiled in some cases', shares],
    ['Left to onnxruntime', left],
  ]
    .map(([title, names]) => `**${title} (${names!.length}):** ${[names].flat().join(', ') || 'none'}.`)
    .join('\n\n');
}

/** The trained models, one line each. */
export async function models(): Promise<string> {
  const { models: outcomes, totals } = await readZooTable();
  const rows = Object.entries(outcomes).map(([name, outcome]) => {
    if ('error' in outcome) return `| ${name} | – | – | no |`;
    const { nodes, work, runs } = outcome.result;
    const right = runs.every((r) => r.error === undefined && r.outputs.every((o) => o.pass));
    return `| ${name} | ${nodes.compiled} of ${nodes.all} | ${percent(work, 1)} | ${right ? 'yes' : 'no'} |`;
  });
  return [
    `${totals.right} of ${totals.models} agree with onnxruntime, ${totals.fully} compile completely, ${totals.mostly} with at least 95 % of their`,
    'floating-point work.',
    '',
    '| model (npm or PyPI package / file) | nodes compiled | work compiled | agrees |',
    '|---|---|---|---|',
    ...rows,
  ].join('\n');
}

/** The networks that PyTorch exported, one line each. */
export async function networks(): Promise<string> {
  const rows = await readModelRows();
  const names = [...new Set(rows.map((r) => r.model.name))];
  const cell = (name: string, kind: string): string => {
    const row = rows.find((r) => r.model.name === name && r.model.kind === kind);
    if (row === undefined) return '–';
    if (!isRight(row)) return 'no';
    const { compiled, all } = row.reply.nodes!;
    return `${compiled} of ${all}`;
  };
  const lines = names.map((name) => {
    const own = rows.filter((r) => r.model.name === name);
    const onnx = own.every(hasOnnx) ? 'yes' : 'no';
    return `| ${name} | ${cell(name, 'fixed')} | ${cell(name, 'dynamic')} | ${onnx} |`;
  });
  return [
    `${rows.filter(isRight).length} of ${rows.length} programs agree with eager PyTorch, ${rows.filter((r) => isRight(r) && isFullyCompiled(r)).length} compile completely, ${rows.filter(hasOnnx).length} give a valid ONNX file.`,
    '',
    '| network | nodes compiled, fixed sizes | nodes compiled, open sizes | ONNX valid |',
    '|---|---|---|---|',
    ...lines,
  ].join('\n');
}
