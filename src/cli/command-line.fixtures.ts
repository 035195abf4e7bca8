import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { vi } from 'vitest';
import { encodeModel, encodeTensor } from '../onnx/encode.js';
import { makeGraph, makeModel, makeNode, makeOpset, makeTensor, tensorValue } from '../onnx/make.js';
import { main } from './main.js';

const script = fileURLToPath(new URL('./main.ts', import.meta.url));
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Starts the command as a user would, in a directory and a cache of the test's own. */
export function start(cwd: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, ['--import', tsx, script, ...args], {
    cwd,
    env: { ...process.env, AIT_CACHE_DIR: join(cwd, 'cache'), TMPDIR: join(cwd, 'tmp'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { child, ended: collect(child) };
}

/** The same without a process of its own; the caller has made `cwd` the working directory. */
export async function ait(...args: readonly string[]): Promise<Ended> {
  const texts = { out: '', err: '' };
  const into = (key: 'out' | 'err') => (chunk: unknown) => {
    texts[key] += String(chunk);
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(into('out')),
    vi.spyOn(process.stderr, 'write').mockImplementation(into('err')),
  ];
  try {
    return { code: await main(args), ...texts };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

async function collect(child: ChildProcess): Promise<Ended> {
  const texts = { out: '', err: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (texts.out += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (texts.err += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...texts };
}

export const f32 = (values: readonly number[]): Uint8Array =>
  new Uint8Array(Float32Array.from(values).buffer);

/** y = relu(x · w) with x of any number of rows, w = [[1, 0], [0, -1], [2, 1]]. */
export function writeTinyModel(path: string): void {
  const graph = makeGraph({
    name: 'tiny',
    node: [
      makeNode({ opType: 'MatMul', name: 'product', input: ['x', 'w'], output: ['p'] }),
      makeNode({ opType: 'Relu', name: 'clip', input: ['p'], output: ['y'] }),
    ],
    initializer: [makeTensor('w', 'f32', [3, 2], f32([1, 0, 0, -1, 2, 1]))],
    input: [tensorValue('x', 'f32', ['rows', 3])],
    output: [tensorValue('y', 'f32', ['rows', 2])],
  });
  writeFile(path, encodeModel(makeModel({ irVersion: 8, opsetImport: [makeOpset('', 17)], graph })));
}

/** What it computes. */
export const tiny = (x: readonly number[]): readonly number[] =>
  Array.from({ length: x.length / 3 }, (_, i) => x.slice(3 * i, 3 * i + 3)).flatMap(([a, b, c]) => [
    Math.max(0, a! + 2 * c!),
    Math.max(0, c! - b!),
  ]);

export function writeDataSet(folder: string, x: readonly number[], y: readonly number[]): void {
  const tensor = (name: string, columns: number, values: readonly number[]) =>
    encodeTensor(makeTensor(name, 'f32', [values.length / columns, columns], f32(values)));
  writeFile(join(folder, 'input_0.pb'), tensor('x', 3, x));
  writeFile(join(folder, 'output_0.pb'), tensor('y', 2, y));
}

export function writeFile(path: string, content: Uint8Array | string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
