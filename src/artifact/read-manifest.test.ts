import { expect, test } from 'vitest';
import { CompileError } from '../support/diagnostic.js';
import type { Manifest } from './manifest.js';
import { parseManifest } from './read-manifest.js';

const manifest: Manifest = {
  schema: 1,
  tool: { name: 'ait-convert', version: '1.2.3' },
  source: { name: 'm.onnx', sha256: 'ab', bytes: 10 },
  target: { kind: 'cpu', arch: 'x64', isa: 'x86-64-v4', compiler: 'g++ 12' },
  inputs: [
    { name: 'x', value: 'x', dtype: 'f32', shape: [{ symbol: 'N', min: 1, max: 8 }, 4], below: 10 },
    { name: 's', value: 's', dtype: 'sequence(f32)' },
  ],
  outputs: [{ name: 'y', value: 'v', dtype: 'f32', shape: [{ symbol: 'N', min: 1 }] }],
  steps: [
    { kind: 'fallback', target: 'fallback/0.onnx', inputs: ['x', 's'], outputs: ['u'], nodes: 2 },
    { kind: 'engine', target: 'segment_0', inputs: ['u'], outputs: ['v'], nodes: 3 },
  ],
  weights: {
    file: 'weights.bin',
    bytes: 64,
    tensors: [{ name: 'w', offset: 0, bytes: 64, sha256: 'cd' }],
  },
  accuracy: [
    {
      output: 'y',
      maxAbsolute: 1e-6,
      maxRelative: 1e-5,
      cosine: 1,
      tolerance: { atol: 1e-5, rtol: 1e-4 },
      pass: true,
    },
  ],
  kernels: ['gemm'],
};

function codeOf(contents: unknown): string {
  try {
    parseManifest(typeof contents === 'string' ? contents : JSON.stringify(contents));
  } catch (error) {
    if (error instanceof CompileError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

test('a manifest is read as it was written', () => {
  expect(parseManifest(JSON.stringify(manifest))).toEqual(manifest);
});

test('members this version does not know are left out', () => {
  expect(parseManifest(JSON.stringify({ ...manifest, more: 1 }))).toEqual(manifest);
});

test('another version of the schema is named', () => {
  expect(codeOf({ schema: 2 })).toMatch(/^manifest-version: .*schema 2, .*reads schema 1/);
});

test.each([
  ['not JSON', '{', /^bad-manifest: the manifest is not JSON/],
  ['not an object', [], /^bad-manifest/],
  ['no version', { ...manifest, schema: undefined }, /schema is nothing, expected 1/],
  ['a missing member', { ...manifest, steps: undefined }, /steps is nothing, expected a list/],
  [
    'a wrong type inside',
    { ...manifest, inputs: [{ ...manifest.inputs[0], shape: [-1] }] },
    /inputs\[0\]\.shape\[0\] is -1, expected a whole number/,
  ],
  [
    'a file outside the directory',
    { ...manifest, weights: { ...manifest.weights, file: '../../etc/passwd' } },
    /weights\.file names "\.\.\/\.\.\/etc\/passwd", outside/,
  ],
  [
    'a fallback outside the directory',
    { ...manifest, steps: [{ ...manifest.steps[0], target: '/m.onnx' }] },
    /steps\[0\]\.target names "\/m\.onnx", outside/,
  ],
  [
    'a value nobody makes',
    { ...manifest, steps: [...manifest.steps].reverse() },
    /step "segment_0" reads "u", which no earlier step makes/,
  ],
  [
    'a value made twice',
    { ...manifest, steps: [...manifest.steps, manifest.steps[1]] },
    /step "segment_0" makes "v" a second time/,
  ],
  ['an output nobody makes', { ...manifest, steps: manifest.steps.slice(0, 1) }, /output "y" reads "v"/],
])('%s is an error with its place', (_, contents, message) => {
  expect(codeOf(contents)).toMatch(message);
});
