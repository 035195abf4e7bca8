import { fork } from 'node:child_process';
import { join } from 'node:path';
import { execa } from 'execa';
import { childModule } from '../../src/support/child-module.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';
import { scriptArguments } from '../arguments.js';
import { repository, runProgram, say } from '../cache.js';
import { pythonEnv } from '../python-env.js';
import { type ExportedModel, exportedNetwork, networks } from './models-cache.js';
import {
  isFullyCompiled,
  isOf,
  isRight,
  type ModelRow,
  onnxFile,
  readModelRows,
  writeModelTable,
} from './models-table.js';
import type { ModelJob, ModelReply } from './models-worker.js';

/** The oldest, the default and the newest that is asked for. */
const exportedOpsets = [17, 21, 23];

const folder = join(repository, 'scripts', 'pt2');
const checker = join(folder, 'check-onnx.py');

/**
 * Converts networks that PyTorch exported with random weights, runs them against eager PyTorch, checks what `export`
 * writes with onnx and onnxruntime, and writes fixtures/tables/pytorch.{md,json}. Names given as arguments select
 * networks; the others keep their rows. --check leaves the table as it is; --minutes M begins no network after that.
 */
await runProgram(async () => {
  const { options, flags, rest: chosen } = scriptArguments(['minutes'], ['check']);
  const end = performance.now() + Number(options.minutes ?? Infinity) * 60_000;
  const rows: ModelRow[] = [];
  for (const name of networks) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    if (performance.now() > end) break;
    const { torch, directory, models } = await exportedNetwork(name);
    for (const model of models) {
      const row =
        model.error === undefined ? await rowOf(model, join(directory, model.kind)) : { model, reply: {} };
      rows.push(row);
      say(`${model.name} ${model.kind}: ${described(row)}`);
      if (!isRight(row)) process.exitCode = 1;
      if (flags.has('check')) continue;
      const kept = chosen.length === 0 ? [] : (await readModelRows()).filter((r) => !rows.some(isOf(r)));
      await writeModelTable(torch, [...kept, ...rows]);
    }
  }
  const right = rows.filter(isRight);
  console.log(
    `${rows.length} programs: ${right.length} right, ${right.filter(isFullyCompiled).length} compiled fully`,
  );
});

async function rowOf(model: ExportedModel, directory: string): Promise<ModelRow> {
  const { dataSets, rtol, atol } = model;
  return withTemporaryDirectory('ait-pt2-onnx', async (dir) => {
    const reply = await inChild({ directory, onnx: dir, opsets: exportedOpsets, dataSets, rtol, atol });
    if (!reply.exported) return { model, reply };
    const problems: string[] = [];
    for (const opset of exportedOpsets) {
      const given = [onnxFile(dir, opset), directory, String(dataSets), String(rtol), String(atol)];
      const checked = await execa(await pythonEnv(), [checker, ...given], { reject: false });
      const { problem }: { problem: string | null } =
        checked.exitCode === 0 ? JSON.parse(checked.stdout) : { problem: checked.shortMessage };
      if (problem !== null) problems.push(`opset ${opset}: ${problem}`);
    }
    return { model, reply: problems.length === 0 ? reply : { ...reply, exportFailure: problems.join('; ') } };
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
    reply.exported && exportFailure === undefined ? 'ONNX right' : `ONNX: ${exportFailure ?? 'not written'}`,
  ]
    .filter(Boolean)
    .join('; ');
}
