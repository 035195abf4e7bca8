import { precisions } from '../src/cli/command.js';
import type { TargetOptions } from '../src/target.js';
import { scriptArguments } from './arguments.js';
import { sentence } from './conformance/case-result.js';
import { runCases } from './conformance/run-cases.js';
import { suite } from './suite-fetch.js';

/**
 * Usage: tsx scripts/suite-run.ts REGEX [--fallback] [--target T] [--arch A] [--precision P] [--jobs N]
 * [--seconds S]: compiles and runs the suite cases of such names, no new ones after S seconds, and prints what is not
 * compiled or not right; with --fallback, those that need
 * onnxruntime are converted and run as well. `--target emulated` runs the kernels of the GPU in emulation, with
 * warps as AMD has them for `--arch emulated64`.
 */
const { options, flags, rest } = scriptArguments(
  ['target', 'arch', 'precision', 'jobs', 'seconds'],
  ['fallback'],
);
const cases = (await suite()).filter((c) => new RegExp(rest[0] ?? '.').test(c.name));
const deadline = performance.now() + 1000 * Number(options.seconds ?? 1e9);
const results = await runCases(cases, {
  fallback: flags.has('fallback'),
  jobs: Number(options.jobs ?? 2),
  until: () => performance.now() > deadline,
  target: {
    target: options.target as TargetOptions['target'],
    arch: options.arch,
    precision: precisions[options.precision ?? 'fp32'],
  },
});
const tally = new Map<string, number>();
for (const c of cases) {
  const result = results.get(c);
  if (!result) continue;
  const { placement, left, failure } = result;
  const verdict = failure ? `FAILED to ${failure.stage}` : placement === 'compiled' ? 'ok' : placement;
  tally.set(verdict, (tally.get(verdict) ?? 0) + 1);
  if (verdict !== 'ok')
    console.log(
      `${c.name}: ${verdict}: ${sentence([failure?.reason, left].filter(Boolean).join(' | '), 600)}`,
    );
}
console.log(Object.fromEntries(tally));
