import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { sha256Parts } from '../src/support/hash.js';
import { exclusively, isProgram, repository, runProgram, say } from './cache.js';
import { unicodeLocale } from './locale.js';
import { pythonEnv } from './python-env.js';
import { suiteRoot } from './suite-fetch.js';

/** How far onnxruntime came with a case, and why not further. */
export type Outcome =
  | { readonly passes: true }
  | { readonly passes: false; readonly stage: 'load' | 'run' | 'compare'; readonly reason: string };

/** The same model stamped with another opset; `sameOperators` when every definition is the same in both. */
export type StampedOutcome = Outcome & { readonly opset: number; readonly sameOperators: boolean };

export type ReferenceResult = {
  readonly generated: Outcome;
  /** With the opset and IR lowered to the newest onnxruntime implements; only for a valid model that failed. */
  readonly lowered?: StampedOutcome;
  /** The newest other opset under which it passes; only where nothing before did. */
  readonly restamped?: StampedOutcome;
};

export type ReferenceResults = {
  readonly onnxruntime: string;
  /** By `suite/name`. */
  readonly cases: Readonly<Record<string, ReferenceResult>>;
};

const script = join(repository, 'scripts', 'suite', 'onnxruntime_reference.py');

/** What onnxruntime alone does with every case of the suites: measured once for each version of script and suite. */
export async function onnxruntimeReference(): Promise<ReferenceResults> {
  const root = await suiteRoot();
  const file = join(root, 'onnxruntime.json');
  const stamp = sha256Parts([await readFile(script), await readFile(join(root, '.stamp'))]);
  const known = await readStamped(file, stamp);
  if (known !== undefined) return known;
  return exclusively('suite-onnxruntime', async () => {
    const other = await readStamped(file, stamp);
    if (other !== undefined) return other;
    say('Running the ONNX backend suites on onnxruntime, to know what it can do by itself …');
    const draft = `${file}.draft`;
    const env = await unicodeLocale();
    await execa(await pythonEnv(), [script, root, draft], { env, stderr: 'ignore' });
    const results: ReferenceResults = JSON.parse(await readFile(draft, 'utf8'));
    await writeFile(draft, `${JSON.stringify({ stamp, ...results }, undefined, 1)}\n`);
    await rename(draft, file);
    return results;
  });
}

async function readStamped(file: string, stamp: string): Promise<ReferenceResults | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const found: ReferenceResults & { readonly stamp: string } = JSON.parse(text);
  return found.stamp === stamp ? found : undefined;
}

/** Whether onnxruntime gives the expected outputs in any way of asking it. */
export function passesSomehow({ generated, lowered, restamped }: ReferenceResult): boolean {
  return [generated, lowered, restamped].some((outcome) => outcome?.passes === true);
}

function count(results: readonly ReferenceResult[]): string {
  const passed = (keep: (result: ReferenceResult) => boolean) => results.filter(keep).length;
  const generated = passed((result) => result.generated.passes);
  const lowered = passed((result) => result.generated.passes || result.lowered?.passes === true);
  const somehow = passed(passesSomehow);
  return `${results.length} cases: ${generated} as generated, ${lowered} with the opset lowered, ${somehow} with any opset`;
}

if (isProgram(import.meta.url))
  await runProgram(async () => {
    const { cases } = await onnxruntimeReference();
    const names = [...new Set(Object.keys(cases).map((key) => key.split('/')[0] ?? ''))];
    for (const name of names) {
      const own = Object.entries(cases).filter(([key]) => key.startsWith(`${name}/`));
      console.log(`${name}: ${count(own.map(([, result]) => result))}`);
    }
  });
