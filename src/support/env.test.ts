import { afterEach, expect, test, vi } from 'vitest';
import { cacheDirectory, env, envCount, renderEnvTable, silenceOnnxruntime } from './env.js';

afterEach(() => vi.unstubAllEnvs());

test('an empty variable counts as not set', () => {
  vi.stubEnv('AIT_CXX', '');
  expect(env('AIT_CXX')).toBeUndefined();
  vi.stubEnv('AIT_CXX', 'clang++');
  expect(env('AIT_CXX')).toBe('clang++');
});

test('a count is a positive whole number or an error that names the variable', () => {
  vi.stubEnv('AIT_THREADS', '4');
  expect(envCount('AIT_THREADS')).toBe(4);
  for (const wrong of ['0', '-1', '1.5', 'two']) {
    vi.stubEnv('AIT_THREADS', wrong);
    expect(() => envCount('AIT_THREADS')).toThrow(`AIT_THREADS=${wrong} is not`);
  }
});

test('the cache directory: own variable first, then the platform’s', () => {
  vi.stubEnv('AIT_CACHE_DIR', '');
  vi.stubEnv('XDG_CACHE_HOME', '/xdg');
  if (process.platform === 'linux') expect(cacheDirectory()).toBe('/xdg/ait-convert');
  vi.stubEnv('AIT_CACHE_DIR', '/own');
  expect(cacheDirectory()).toBe('/own');
});

test('the table has a row for every variable', () => {
  expect(renderEnvTable()).toMatch(
    /^\| variable \| meaning \|\n\|---\|---\|\n(\| `[A-Z_]+` \| .+ \|\n?){16}$/,
  );
});

test('onnxruntime reports on nothing, unless the user asked for it', () => {
  vi.stubEnv('ORT_DISABLE_TELEMETRY', undefined);
  silenceOnnxruntime();
  expect(process.env['ORT_DISABLE_TELEMETRY']).toBe('1');
  vi.stubEnv('ORT_DISABLE_TELEMETRY', '0');
  silenceOnnxruntime();
  expect(process.env['ORT_DISABLE_TELEMETRY']).toBe('0');
});
