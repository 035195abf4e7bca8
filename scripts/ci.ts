import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { findHipcc } from '../codegen/gpu/hipcc.js';
import { scriptArguments } from './arguments.js';
import { cacheRoot, repository, say } from './cache.js';
import { hasTorchEnv } from './torch-env.js';

/*
 * The checks of `.ci/run` after installation and build: style and types, the tests, every kernel of the GPU targets
 * where the time is likely to suffice, then as much of the long suites as the rest of half an hour (or of
 * --minutes M) holds. Networks of PyTorch are among them where the environment of scripts/torch-env.ts is installed.
 * Every step runs even when one before it failed; the last line sums up.
 */

const minutes = Number(scriptArguments(['minutes']).options.minutes ?? 28);
const end = performance.now() + minutes * 60_000;
const minutesLeft = (): number => (end - performance.now()) / 60_000;
const count = { passed: 0, failed: 0 };

async function step(name: string, command: readonly string[]): Promise<boolean> {
  say(`\n── ${name}`);
  const start = performance.now();
  const [file, ...args] = command;
  const { failed } = await execa(file!, args, { cwd: repository, stdio: 'inherit', reject: false });
  say(
    `── ${name}: ${failed ? 'failed' : 'passed'} after ${((performance.now() - start) / 1000).toFixed(0)} s`,
  );
  return !failed;
}

function tally(passed: boolean): void {
  count[passed ? 'passed' : 'failed']++;
}

/** What vitest counted; a run that ends before it can count is one failure. */
async function tests(): Promise<void> {
  const file = join(cacheRoot, 'ci', 'vitest.json');
  await mkdir(join(cacheRoot, 'ci'), { recursive: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const started = Date.now();
  const passed = await step('tests', ['npx', 'vitest', 'run', ...reporters]);
  const counted = await readFile(file, 'utf8').then(JSON.parse, () => undefined);
  if (counted === undefined || counted.startTime < started) return tally(passed);
  count.passed += counted.numPassedTests;
  count.failed += counted.numFailedTests;
  // A file that cannot be loaded has no tests to fail.
  if (!passed && counted.numFailedTests === 0) tally(false);
}

tally(await step('types and style', ['npm', 'run', 'check']));
await tests();
if (minutesLeft() > 14) {
  const hipcc = await findHipcc().then(
    () => ['gfx90a'],
    () => [],
  );
  const archs = ['sm_80', 'sm_90a', ...hipcc].join(',');
  tally(await step(`GPU kernels for ${archs}`, ['npx', 'tsx', 'scripts/gpu/kernel-table.ts', '.', archs]));
}
const seed = String(Math.floor(Date.now() / 86_400_000));
const share = (of: number): string => Math.max(0.5, minutesLeft() * of).toFixed(1);
const conformance = ['npx', 'tsx', 'scripts/conformance.ts', '--minutes', share(0.6), '--seed', seed];
tally(await step(`conformance, seed ${seed}`, conformance));
if (await hasTorchEnv()) {
  const networks = ['npx', 'tsx', 'scripts/pt2/models.ts', '--check', '--minutes', share(0.25)];
  tally(await step('PyTorch networks', networks));
}
tally(await step('zoo', ['npx', 'tsx', 'scripts/zoo.ts', '--minutes', share(0.8)]));
console.log(`${count.passed} passed, ${count.failed} failed`);
if (count.failed > 0) process.exitCode = 1;
