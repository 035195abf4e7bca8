import { fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { childModule } from '../../src/support/child-module.js';
import { sha256Parts } from '../../src/support/hash.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';
import { installed, repository, runProgram, say } from '../cache.js';
import { pythonEnv } from '../python-env.js';
import { torchEnv } from '../torch-env.js';
import {
  isFullyCompiled,
  isOf,
  isRight,
  type ModelRow,
  readModelRows,
  writeModelTable,
} from './models-table.js';
import type { ModelJob, ModelReply } from './models-worker.js';

/** A network as PyTorch exported it, or why it did not. */
export interface ExportedModel {
  readonly name: string;
  readonly kind: 'fixed' | 'dynamic';
  readonly error?: string;
  readonly dataSets: number;
  readonly rtol: number;
  readonly atol: number;
  /** The inputs of each data set. */
  readonly inputs: readonly string[];
  readonly parameters: number;
}

interface Listing {
  readonly torch: string;
  readonly models: readonly ExportedModel[];
}

const folder = join(repository, 'scripts', 'pt2');
const [exporter, checker] = [join(folder, 'models.py'), join(folder, 'check-onnx.py')];

/**
 * Converts networks that PyTorch exported with random weights, runs them against eager PyTorch, checks what `export`
 * writes with onnx and onnxruntime, and writes fixtures/tables/pytorch.{md,json}. Names given as arguments select
 * networks; the others keep their rows.
 */
await runProgram(async () => {
  const chosen = process.argv.slice(2);
  const root = await models();
  const listing: Listing = JSON.parse(await readFile(join(root, 'models.json'), 'utf8'));
  const rows: ModelRow[] = [];
  for (const model of listing.models) {
    if (chosen.length > 0 && !chosen.some((name) => model.name.includes(name))) continue;
    const row = model.error === undefined ? await rowOf(model, root) : { model, reply: {} };
    rows.push(row);
    say(`${model.name} ${model.kind}: ${described(row)}`);
    if (!isRight(row)) process.exitCode = 1;
    const kept = chosen.length === 0 ? [] : (await readModelRows()).filter((r) => !rows.some(isOf(r)));
    await writeModelTable(listing.torch, [...kept, ...rows]);
  }
  const right = rows.filter(isRight);
  console.log(
    `${rows.length} programs: ${right.length} right, ${right.filter(isFullyCompiled).length} compiled fully`,
  );
});

async function models(): Promise<string> {
  const sources = [exporter, join(folder, 'data.py'), join(repository, 'scripts', 'requirements-torch.txt')];
  const stamp = sha256Parts(await Promise.all(sources.map((f) => readFile(f))));
  return installed('pt2-models', stamp, async (directory) => {
    const python = await torchEnv();
    say('Exporting networks with PyTorch into .cache/pt2-models (about 3 GB) …');
    await execa(python, [exporter, directory], { stdout: 'ignore' });
  });
}

async function rowOf(model: ExportedModel, root: string): Promise<ModelRow> {
  const { dataSets, rtol, atol } = model;
  const directory = join(root, model.name, model.kind);
  return withTemporaryDirectory('ait-pt2-onnx', async (dir) => {
    const onnx = join(dir, 'model.onnx');
    const reply = await inChild({ directory, onnx, dataSets, rtol, atol });
    if (!reply.exported) return { model, reply };
    const checked = await execa(
      await pythonEnv(),
      [checker, onnx, directory, String(dataSets), String(rtol), String(atol)],
      { reject: false },
    );
    const { problem }: { problem: string | null } =
      checked.exitCode === 0 ? JSON.parse(checked.stdout) : { problem: checked.shortMessage };
    return { model, reply: problem === null ? reply : { ...reply, exportFailure: problem } };
  });
}

function inChild(job: ModelJob, timeoutMs = 600_000): Promise<ModelReply> {
  const { path, execArgv } = childModule('models-worker', import.meta.url);
  const child = fork(path, { execArgv: [...execArgv], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  return new Promise((resolve) => {
    const finish = (reply: ModelReply): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      resolve(reply);
    };
    const timer = setTimeout(
      () => finish({ failure: `not finished after ${timeoutMs / 1000} s` }),
      timeoutMs,
    );
    child.on('message', finish);
    child.on('exit', (code, signal) => finish({ failure: `the process ended (${signal ?? code})` }));
    child.send(job);
  });
}

function described({ model, reply }: ModelRow): string {
  if (model.error !== undefined) return `not exported by PyTorch: ${model.error}`;
  const { nodes, seconds, left, failure, difference, exportFailure } = reply;
  return [
    nodes && `${nodes.compiled} of ${nodes.all} nodes compiled in ${seconds?.toFixed(1)} s`,
    left,
    failure === undefined ? `differs by ${difference} of ${model.atol}` : `WRONG ${failure}`,
    exportFailure === undefined ? 'ONNX right' : `ONNX: ${exportFailure}`,
  ]
    .filter(Boolean)
    .join('; ');
}
