import { sentence } from './conformance/case-result.js';
import { runCases } from './conformance/run-cases.js';
import { suite } from './suite-fetch.js';

/**
 * Usage: tsx scripts/suite-run.ts <regex of case names> [--fallback] [--emulated fp32|fp16|bf16 [emulated64]]: compiles and runs suite cases and prints
 * what is not compiled or not right; with --fallback, those that need onnxruntime are converted and run as well; with
 * --emulated, the kernels of the GPU run in emulation, with warps as AMD has them for emulated64.
 */
const pattern = new RegExp(process.argv[2] ?? '.');
const cases = (await suite()).filter((c) => pattern.test(c.name));
const emulated = process.argv.indexOf('--emulated');
const precision = ({ fp16: 'f16', bf16: 'bf16', fp32: 'f32' } as const)[process.argv[emulated + 1] ?? ''];
const arch = process.argv.includes('emulated64') ? 'emulated64' : 'native';
const results = await runCases(cases, {
  fallback: process.argv.includes('--fallback'),
  target: emulated < 0 ? {} : { target: 'emulated', arch, precision },
});
const tally = new Map<string, number>();
for (const c of cases) {
  const { placement, left, failure } = results.get(c)!;
  const verdict = failure ? `FAILED to ${failure.stage}` : placement === 'compiled' ? 'ok' : placement;
  tally.set(verdict, (tally.get(verdict) ?? 0) + 1);
  if (verdict !== 'ok')
    console.log(
      `${c.name}: ${verdict}: ${sentence([failure?.reason, left].filter(Boolean).join(' | '), 600)}`,
    );
}
console.log(Object.fromEntries(tally));
