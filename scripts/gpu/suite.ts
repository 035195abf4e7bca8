import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { precisions } from '../../src/cli/command.js';
import type { TargetOptions } from '../../src/target.js';
import { scriptArguments } from '../arguments.js';
import { repository, runProgram, say } from '../cache.js';
import { type CaseResult, sentence } from '../conformance/case-result.js';
import { runCases } from '../conformance/run-cases.js';
import { type SuiteCase, suite } from '../suite-fetch.js';

/**
 * Usage: tsx scripts/gpu/suite.ts [--target cuda] [--arch A] [--only REGEX] [--jobs N] [--seconds S] [--out DIR]:
 * the suites' cases on a GPU in fp16, bf16 and fp32, against their recorded outputs. Cases that onnxruntime has a
 * part in are only counted. Writes gpu-suite.md; no case is begun more than S seconds after its precision was.
 */

interface Outcome {
  readonly precision: string;
  readonly results: ReadonlyMap<SuiteCase, CaseResult>;
  readonly seconds: number;
}

const isCompiled = (r: CaseResult): boolean => r.placement === 'compiled';

function summary({ precision, results, seconds }: Outcome): string {
  const all = [...results.values()];
  const compiled = all.filter(isCompiled);
  const right = compiled.filter((r) => !r.failure);
  const cells = [precision, all.length, compiled.length, right.length, seconds.toFixed(0)];
  return `| ${cells.join(' | ')} |`;
}

function complaints({ precision, results }: Outcome): readonly string[] {
  return [...results].flatMap(([{ name }, r]) =>
    isCompiled(r) && r.failure
      ? [`* ${precision} ${name}: ${r.failure.stage}: ${sentence(r.failure.reason, 300)}`]
      : [],
  );
}

await runProgram(async () => {
  const { options } = scriptArguments(['target', 'arch', 'only', 'jobs', 'seconds', 'out', 'precision']);
  const target = (options.target ?? 'cuda') as NonNullable<TargetOptions['target']>;
  const cases = (await suite()).filter((c) => new RegExp(options.only ?? '.').test(c.name));
  const outcomes: Outcome[] = [];
  for (const precision of (options.precision ?? 'fp16,bf16,fp32').split(',')) {
    const start = performance.now();
    const elapsed = (): number => (performance.now() - start) / 1000;
    const results = await runCases(cases, {
      fallback: false,
      jobs: Number(options.jobs ?? availableParallelism()),
      batch: 12,
      until: () => elapsed() > Number(options.seconds ?? Number.POSITIVE_INFINITY),
      target: { target, arch: options.arch, precision: precisions[precision] },
    });
    outcomes.push({ precision, results, seconds: elapsed() });
    say(summary(outcomes.at(-1)!));
  }
  const wrong = outcomes.flatMap(complaints);
  const text = [
    '| precision | cases | fully compiled | of them right | seconds |',
    '|---|---|---|---|---|',
    ...outcomes.map(summary),
    '',
    ...(wrong.length === 0 ? [] : ['Not right:', '', ...wrong, '']),
  ].join('\n');
  await writeFile(join(options.out ?? join(repository, 'fixtures', 'tables'), 'gpu-suite.md'), text);
  console.log(text);
  if (wrong.length > 0) process.exitCode = 1;
});
