import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Report } from '../accuracy/report.js';
import { readTensor } from '../inputs.js';
import { encodeNpy, parseNpy } from '../support/npy.js';
import { toNumbers } from '../support/tensor-data.js';
import { ait, f32, start, tiny, writeDataSet, writeFile, writeTinyModel } from './command-line.fixtures.js';

const dir = mkdtempSync(join(tmpdir(), 'ait-command-'));
const x = [1, 2, 3, -4, 5, -6, 0.5, 0.25, -0.125, 7, -8, 9];
const numbersIn = (path: string) => [...toNumbers(readTensor(join(dir, path)))];
const npy = (dtype: string, shape: readonly number[], bytes: Uint8Array) =>
  encodeNpy({ dtype, shape, bytes });

beforeAll(() => {
  mkdirSync(join(dir, 'tmp'));
  writeTinyModel(join(dir, 'tiny.onnx'));
  writeDataSet(join(dir, 'set'), x, tiny(x));
  writeDataSet(join(dir, 'wrong'), x, tiny(x).with(1, 0.5));
  writeFile(join(dir, 'x.npy'), npy('f32', [4, 3], f32(x)));
});
const home = process.cwd();
beforeEach(() => {
  process.chdir(dir);
  vi.stubEnv('AIT_CACHE_DIR', join(dir, 'cache'));
  vi.stubEnv('TMPDIR', join(dir, 'tmp'));
});
afterEach(() => {
  process.chdir(home);
  vi.unstubAllEnvs();
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('converting', () => {
  test('ends with a table, and leaves an engine directory that names no place on this machine', async () => {
    const { code, out, err } = await start(dir, ['tiny.onnx', '-o', 'engine']).ended;
    expect(err.split('\n').filter((l) => l.startsWith('✓'))).toHaveLength(4);
    expect(out).toMatch(/compiled +[12] .* 100 %\n/);
    expect(out).toMatch(/on onnxruntime +0 /);
    expect(out).toMatch(/ {2}y .* pass\n/);
    expect(out).toMatch(/kernels +\d+: \d+ built, 0 from cache\n/);
    expect(out).toMatch(/written +engine /);
    expect(out).not.toContain('\x1b');
    expect(code).toBe(0);
    const files = readdirSync(join(dir, 'engine'));
    expect(files).toEqual(expect.arrayContaining(['manifest.json', 'report.html', 'report.json', 'src']));
    for (const file of files.filter((f) => /json|html/.test(f)))
      expect(readFileSync(join(dir, 'engine', file), 'utf8')).not.toContain(dir);
    expect(readdirSync(join(dir, 'tmp')).filter((f) => f.startsWith('ait-'))).toEqual([]);
  });

  test('as JSON, with a piece left to onnxruntime and the reason', async () => {
    const args = ['tiny.onnx', '-o', 'mixed', '--fallback-ops', 'MatMul', '--threads', '1', '--json'];
    const { code, out } = await ait(...args);
    const report = JSON.parse(out) as Report & { directory: string };
    expect(report.directory).toBe('mixed');
    expect(report.nodes.find((n) => n.name === 'product')).toMatchObject({
      placement: 'fallback',
      reason: '--fallback-ops names MatMul',
    });
    expect(report.target.threads).toBe(1);
    expect(code).toBe(0);
  });

  test('a dry run writes nothing and needs no directory', async () => {
    const before = readdirSync(dir);
    const { code, out } = await ait('tiny.onnx', '--dry-run');
    expect(out).toMatch(/would compile +[12] /);
    expect(code).toBe(0);
    expect(readdirSync(dir)).toEqual(before);
  });

  test('--require-full-compilation is an error that names the node and why', async () => {
    const args = ['tiny.onnx', '-o', 'full', '--fallback-nodes', 'product', '--require-full-compilation'];
    const { code, err } = await ait(...args);
    expect(err).toContain('product (MatMul): --fallback-nodes names it');
    expect([code, existsSync(join(dir, 'full'))]).toEqual([2, false]);
  });

  test.each([
    ['a missing file', ['nowhere.onnx', '-o', 'o'], 'unreadable-file'],
    ['no output', ['tiny.onnx'], '-o engine/'],
    ['an existing output', ['tiny.onnx', '-o', 'engine'], '--force'],
    ['somebody else’s directory', ['tiny.onnx', '-o', 'set', '--force'], 'not replaced'],
    ['a place nobody can write', ['tiny.onnx', '-o', '/proc/none/engine'], 'output-unwritable'],
    ['a misspelt option', ['tiny.onnx', '-o', 'o', '--fallback-op', 'X'], 'did you mean --fallback-ops?'],
    ['an option without its value', ['tiny.onnx', '-o'], '-o needs a value'],
    ['an option given twice', ['tiny.onnx', '-o', 'o', '-o', 'p'], 'more than once'],
    ['a misspelt command', ['inspct', 'tiny.onnx'], 'did you mean "inspect"?'],
    ['an argument too many', ['tiny.onnx', 'other.onnx', '-o', 'o'], 'one argument too many'],
    ['no number', ['tiny.onnx', '-o', 'o', '--threads', 'many'], '--threads "many"'],
    ['an unknown target', ['tiny.onnx', '-o', 'o', '--target', 'tpu'], '--target "tpu" is none of'],
    ['an unknown processor', ['tiny.onnx', '-o', 'o', '--arch', 'abacus'], 'bad-arch'],
    ['a shape for no input', ['tiny.onnx', '-o', 'o', '--shapes', 'q:1x3'], 'no input of the model'],
    ['no shape', ['tiny.onnx', '-o', 'o', '--shapes', 'x:1,3'], 'name:1x3x224x224'],
  ])('%s is told, with exit code 2 and nothing written', async (_, args, text) => {
    const { code, out, err } = await ait(...args);
    expect(err).toContain(text);
    expect([code, out]).toEqual([2, '']);
    expect(readdirSync(dir).filter((f) => ['o', 'p'].includes(f) || f.startsWith('.'))).toEqual([]);
  });

  test.each([
    ['cut.onnx', (model: Uint8Array) => model.subarray(0, model.length - 20)],
    ['page.onnx', () => Buffer.from('<html></html>')],
    ['empty.onnx', () => new Uint8Array()],
  ])('%s is no model', async (name, damage) => {
    writeFile(join(dir, 'bad', name), damage(readFileSync(join(dir, 'tiny.onnx'))));
    const { code, err, out } = await ait(join('bad', name), '-o', 'o', '--json');
    expect(err).toContain('error[bad-model]');
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'bad-model' } });
    expect(code).toBe(2);
  });

  test('without a compiler: exit code 3, and what to install', async () => {
    vi.stubEnv('AIT_CXX', join(dir, 'no-such-compiler'));
    const { code, err } = await ait('tiny.onnx', '-o', 'o');
    expect(err).toContain('error[no-compiler]');
    expect([code, existsSync(join(dir, 'o'))]).toEqual([3, false]);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s while compilers run leaves nothing and nobody',
    async (signal) => {
      const home = mkdtempSync(join(dir, 'stopped-'));
      mkdirSync(join(home, 'tmp'));
      mkdirSync(join(home, 'out'));
      const { child, ended } = start(home, [join(dir, 'tiny.onnx'), '-o', 'out/engine']);
      const working = () => readdirSync(join(home, 'tmp')).some((f) => f.startsWith('ait-build'));
      while (!working() && child.exitCode === null) await new Promise((done) => setTimeout(done, 20));
      expect(readdirSync(join(home, 'out'))).toEqual([expect.stringMatching(/^\.engine\.partial/)]);
      child.kill(signal);
      const { code, err } = await ended;
      expect([code, err.trim().split('\n').at(-1)]).toEqual([
        signal === 'SIGINT' ? 130 : 143,
        'interrupted; nothing is left half-written',
      ]);
      expect(readdirSync(join(home, 'out'))).toEqual([]);
      expect(readdirSync(join(home, 'tmp')).filter((f) => !f.startsWith('tsx'))).toEqual([]);
      if (process.platform === 'linux') expect(processesNaming(home)).toEqual([]);
    },
  );
});

/** Command lines of processes that mention a path. */
const processesNaming = (path: string): readonly string[] =>
  readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return [];
      }
    })
    .filter((line) => line.includes(path));

describe('running', () => {
  test('an array in, files out', async () => {
    const args = ['run', 'engine', '--input', 'x=@x.npy', '--output-dir', 'out', '--npy'];
    const { code, out } = await ait(...args);
    expect(out).toMatch(/ {2}y +f32\[4,2\] /);
    expect(numbersIn('out/output_0.pb')).toEqual(tiny(x));
    expect([...toNumbers(parseNpy(readFileSync(join(dir, 'out/output_0.npy'))))]).toEqual(tiny(x));
    expect(readdirSync(join(dir, 'out')).sort()).toEqual(['output_0.npy', 'output_0.pb']);
    expect(code).toBe(0);
  });

  test('a data set in; the engine and the mixed one agree', async () => {
    for (const engine of ['engine', 'mixed']) {
      const { code } = await ait('run', engine, '--data-set', 'set', '--output-dir', `from-${engine}`);
      expect([code, numbersIn(`from-${engine}/output_0.pb`)]).toEqual([0, tiny(x)]);
    }
  });

  test('seeded random inputs of the size asked for, the same every time', async () => {
    const args = ['run', 'engine', '--dim', 'rows=5', '--json'];
    const results = [await ait(...args), await ait(...args), await ait(...args, '--seed', '1')];
    const [first, second, other] = results.map(({ out }) => JSON.parse(out).outputs[0]);
    expect(first.shape).toEqual([5, 2]);
    expect(second).toEqual(first);
    expect(other.mean).not.toBe(first.mean);
  });

  test.each([
    ['no engine', ['set'], 'missing-engine'],
    ['a missing input', ['engine', '--input', 'q=@x.npy'], 'the model has no input "q"'],
    ['another type', ['engine', '--input', 'x=@f64.npy'], 'has elements of type f64, expected f32'],
    ['another shape', ['engine', '--input', 'x=@flat.npy'], 'has the shape [12], expected f32[rows, 3]'],
    ['no array', ['engine', '--input', 'x=@text.npy'], 'bad-npy'],
    ['no file', ['engine', '--input', 'x=@none.npy'], 'unreadable-file'],
    ['no data set', ['engine', '--data-set', 'engine'], 'bad-data-set'],
    ['a size for no dimension', ['engine', '--dim', 'columns=3'], 'the symbolic dimensions are rows'],
    ['a folder nobody can write', ['engine', '--output-dir', 'x.npy'], 'output-unwritable'],
  ])('%s is told, with exit code 2', async (_, args, text) => {
    writeFile(join(dir, 'f64.npy'), npy('f64', [4, 3], new Uint8Array(Float64Array.from(x).buffer)));
    writeFile(join(dir, 'flat.npy'), npy('f32', [12], f32(x)));
    writeFile(join(dir, 'text.npy'), 'no array');
    const { code, err } = await ait('run', ...args);
    expect(err).toContain(text);
    expect(code).toBe(2);
  });
});

describe('comparing', () => {
  test('an engine with onnxruntime and with recorded outputs', async () => {
    const { code, out } = await ait('diff', 'engine', '--data-set', 'set');
    expect(out).toMatch(
      /against onnxruntime[\s\S]* {2}y .* pass\n[\s\S]*against the data set[\s\S]* {2}y .* pass\n/,
    );
    expect(code).toBe(0);
  });

  test('a recorded output that differs: exit code 1, and where', async () => {
    const { code, out } = await ait('diff', 'engine', '--data-set', 'wrong');
    expect(out).toMatch(
      /FAIL\n[\s\S]*y: 1 of 8 elements outside, the worst at \[0, 1\]: 1 where 0.5 is expected/,
    );
    expect(code).toBe(1);
    const lenient = await ait('diff', 'engine', '--data-set', 'wrong', '--atol', '0.6');
    expect(lenient.code).toBe(0);
  });

  test('a model is compiled first, and leaves nothing', async () => {
    const { code, out } = await ait('diff', 'tiny.onnx', '--json');
    expect(JSON.parse(out)).toMatchObject({
      pass: true,
      outputs: [{ output: 'y', comparison: { pass: true } }],
    });
    expect(code).toBe(0);
    expect(readdirSync(join(dir, 'tmp')).filter((f) => f.startsWith('ait-'))).toEqual([]);
  });

  test('a damaged engine is found out, down to the segment', async () => {
    cpSync(join(dir, 'engine'), join(dir, 'damaged'), { recursive: true });
    const weights = readFileSync(join(dir, 'damaged/weights.bin'));
    const at = weights.indexOf(Buffer.from(f32([2])));
    expect(at).toBeGreaterThanOrEqual(0);
    weights.writeFloatLE(2.5, at);
    writeFile(join(dir, 'damaged/weights.bin'), weights);
    const { code, out } = await ait('diff', 'damaged', '--data-set', 'set');
    expect(out).toMatch(/first to deviate +segment_0: .* y by /);
    expect(code).toBe(1);
  });

  test('an engine whose model is elsewhere asks for it, and takes no other', async () => {
    const home = mkdtempSync(join(dir, 'moved-'));
    mkdirSync(join(home, 'tmp'));
    cpSync(join(dir, 'engine'), join(home, 'engine'), { recursive: true });
    vi.stubEnv('AIT_CACHE_DIR', join(home, 'cache'));
    process.chdir(home);
    const asked = await ait('diff', 'engine');
    expect([asked.code, asked.err]).toEqual([2, expect.stringContaining('--model')]);
    const other = await ait('diff', 'engine', '--model', join(dir, 'x.npy'));
    expect([other.code, other.err]).toEqual([2, expect.stringContaining('error[other-model]')]);
    expect((await ait('diff', 'engine', '--model', join(dir, 'tiny.onnx'))).code).toBe(0);
  });
});

test('timing against onnxruntime', async () => {
  const args = [
    'bench',
    'engine',
    '--against',
    'onnxruntime',
    '--seconds',
    '0.05',
    '--threads',
    '1',
    '--json',
  ];
  const { code, out } = await ait(...args);
  const result = JSON.parse(out);
  for (const side of [result.engine, result.onnxruntime]) {
    expect(side.runs).toBeGreaterThanOrEqual(5);
    expect(side.p10).toBeGreaterThan(0);
    expect(side.p10).toBeLessThanOrEqual(side.median);
    expect(side.median).toBeLessThanOrEqual(side.p90);
  }
  expect(result.ratio).toBeCloseTo(result.onnxruntime.median / result.engine.median, 10);
  expect(code).toBe(0);
});

test('inspecting a model and an engine', async () => {
  const model = await ait('inspect', 'tiny.onnx');
  expect(model.out).toMatch(/1 {2}MatMul +ai\.onnx 17\n/);
  expect(model.out).toMatch(/ {2}x +f32\[rows,3\]\n/);
  expect(model.out).toMatch(/would compile +[12] /);
  const engine = await ait('inspect', 'mixed');
  expect(engine.out).toMatch(/fallback\/0\.onnx +onnxruntime +1 node\n/);
  expect(engine.out).toContain('--fallback-ops names MatMul');
  expect([model.code, engine.code]).toEqual([0, 0]);
});

test('the doctor finds everything here, and says what to install where the compiler is missing', async () => {
  const here = await ait('doctor');
  expect(here.out).toMatch(/builds code +yes[\s\S]*cache +[\s\S]*\n {2}ready\n$/);
  expect(here.code).toBe(0);
  vi.stubEnv('AIT_CXX', 'no-such-compiler');
  const { code, out } = await ait('doctor', '--json');
  const { ready, checks } = JSON.parse(out);
  expect([code, ready]).toEqual([3, false]);
  expect(checks.find((c: { name: string }) => c.name === 'compiler').remedy).toContain('AIT_CXX');
});

test('help for every command, and the version', async () => {
  for (const args of [['--help'], ['diff', '--help'], ['--version']]) {
    const { code, out } = await start(dir, args).ended;
    expect(code).toBe(0);
    expect(out).toMatch(args[0] === '--version' ? /^\d+\.\d+\.\d+\n$/ : /Options:[\s\S]*Examples:/);
  }
  const { code, out } = await start(dir, []).ended;
  expect([code, out]).toEqual([2, expect.stringContaining('Exit codes:')]);
});
