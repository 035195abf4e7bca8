import { renameSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Backend } from '../../src/backend.js';
import type { OnnxruntimeProcess } from '../../src/runtime/reference.js';
import { repository } from '../cache.js';
import { type BuiltCase, buildCases } from '../conformance/build-cases.js';
import { sentence } from '../conformance/case-result.js';
import { CaseRunner } from '../conformance/case-runner.js';
import type { CaseJob } from '../conformance/worker.js';
import type { SuiteCase } from '../suite-fetch.js';

/**
 * Suite cases that are built and not run yet: `precision/batch/` holds a library, its weights and cases.json. Paths
 * in it are relative to the folder and to the repository, so that another machine can run it.
 */

interface StoredCase {
  readonly name: string;
  /** Absent where the case is not fully compiled. */
  readonly job?: CaseJob;
}

export interface Row {
  readonly name: string;
  readonly compiled: boolean;
  readonly failure?: string;
}

const casesFile = 'cases.json';

/** Builds a batch into `directory`, which counts once its list of cases is there. */
export async function storeBatch(
  batch: readonly SuiteCase[],
  directory: string,
  backend: Backend,
  reference: OnnxruntimeProcess,
): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const built = await buildCases(batch, directory, backend, reference);
  replace(join(directory, casesFile), JSON.stringify(built.map(stored)));
}

function stored(built: BuiltCase): StoredCase {
  const name = `${built.test.suite}/${built.test.name}`;
  if (built.kind !== 'job') return { name };
  const dataSets = built.job.dataSets.map((path) => relative(repository, path));
  return { name, job: { ...built.job, directory: '', dataSets } };
}

interface StoredBatch {
  readonly directory: string;
  readonly cases: readonly StoredCase[];
}

async function batchesIn(folder: string): Promise<readonly StoredBatch[]> {
  const names = (await readdir(folder)).sort();
  const found = names.map(async (name) => {
    const directory = join(folder, name);
    const text = await readFile(join(directory, casesFile), 'utf8').catch(() => '[]');
    return { directory, cases: JSON.parse(text) as readonly StoredCase[] };
  });
  return Promise.all(found);
}

export interface RunOptions {
  /** Processes that run cases. */
  readonly jobs: number;
  /** Of a case. */
  readonly timeoutMs: number;
  readonly only: RegExp;
  /** Whether to show what these processes print. */
  readonly show?: boolean;
  /** Called after every case. */
  readonly progress: (rows: readonly Row[], all: number) => void;
}

/** Runs the cases that were built in a precision's folder, and compares their results with the recorded ones. */
export async function runFolder(folder: string, options: RunOptions): Promise<void> {
  const { jobs, timeoutMs, only, progress } = options;
  const batches = (await batchesIn(folder)).map(({ directory, cases }) => ({
    directory,
    cases: cases.filter((c) => only.test(c.name.slice(c.name.indexOf('/') + 1))),
  }));
  const all = batches.reduce((sum, b) => sum + b.cases.length, 0);
  const rows: Row[] = [];
  for (const { cases } of batches)
    for (const { name, job } of cases) if (!job) rows.push({ name, compiled: false });
  progress(rows, all);
  const waiting = [...batches];
  const lane = async (): Promise<void> => {
    const runner = new CaseRunner({}, options.show ? 'inherit' : 'ignore');
    try {
      for (let next = waiting.shift(); next; next = waiting.shift())
        for (const { name, job } of next.cases) {
          if (!job) continue;
          const dataSets = job.dataSets.map((path) => join(repository, path));
          const reply = await runner.run({ ...job, directory: next.directory, dataSets }, timeoutMs);
          const failure = reply === 'ok' ? {} : { failure: `${reply.stage}: ${sentence(reply.reason, 300)}` };
          // What a kernel did may have broken the GPU for everything else in its process.
          if (reply !== 'ok' && reply.stage === 'run') await runner.close();
          rows.push({ name, compiled: true, ...failure });
          progress(rows, all);
        }
      await runner.close();
    } finally {
      runner.dispose();
    }
  };
  await Promise.all(Array.from({ length: jobs }, lane));
}

/** Whatever ends the process, the file is the one before or the new one. */
export function replace(path: string, text: string): void {
  writeFileSync(`${path}.draft`, text);
  renameSync(`${path}.draft`, path);
}
