import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { floats, longs, model, node, value } from '../fixtures/onnx-importer/material.js';
import { convert } from './compile.js';
import { diff } from './diff.js';
import { encodeModel } from './onnx/encode.js';
import { graphAttribute, intAttribute, makeGraph } from './onnx/make.js';
import type { Node, ValueInfo } from './onnx/types.js';
import { OnnxruntimeProcess } from './runtime/reference.js';
import { InferenceSession } from './runtime/session.js';
import { inputsFor } from './verify.js';
import { deviations } from './verify-engine.js';

const dir = mkdtempSync(join(tmpdir(), 'ait-narrow-fallback-'));
const reference = new OnnxruntimeProcess();
afterAll(() => {
  reference.dispose();
  rmSync(dir, { recursive: true, force: true });
});

const body = (
  name: string,
  nodes: readonly Node[],
  results: readonly string[],
  input: readonly ValueInfo[] = [],
) =>
  graphAttribute(
    name,
    makeGraph({
      name,
      node: [...nodes],
      input: [...input],
      output: results.map((r) => ({ ...value(r), type: undefined })),
    }),
  );

const weights = Array.from({ length: 64 }, (_, i) => Math.sin(i) / 3);

/** What bodies read as `c` and `m` is stored in 16 bits outside. */
const around = (nodes: readonly Node[], type: 'f32' | 'i64') =>
  model({
    input: [value('x', 'f32', 5, 8), value('flag', 'bool')],
    initializer: [
      floats('w', [8, 8], weights),
      floats('zero', [], [0]),
      longs('times', [], [3]),
      longs('yes', [], [1]),
    ],
    node: [node('MatMul', ['x', 'w'], ['m']), node('Relu', ['m'], ['c']), ...nodes],
    output: [value('y', type, ...(type === 'f32' ? [5, 8] : [5]))],
  });

const largest = (of: string, result: string) =>
  node('ArgMax', [of], [result], intAttribute('axis', 1), intAttribute('keepdims', 0));
const branches = (inner: readonly Node[], result: string) => [
  body('then_branch', inner, [result]),
  body(
    'else_branch',
    [node('Exp', ['c'], ['e']), node('Add', ['m', 'e'], ['sum']), largest('sum', 'other')],
    ['other'],
  ),
];
const places = node('If', ['flag'], ['y'], ...branches([largest('m', 'place')], 'place'));
const nested = node(
  'If',
  ['flag'],
  ['y'],
  ...branches(
    [
      node('ReduceSum', ['c'], ['total'], intAttribute('keepdims', 0)),
      node('Greater', ['total', 'zero'], ['positive']),
      node('If', ['positive'], ['inner'], ...branches([largest('c', 'place')], 'place')),
    ],
    'inner',
  ),
);
const sums = node(
  'If',
  ['flag'],
  ['y'],
  body('then_branch', [node('Exp', ['m'], ['e']), node('Add', ['c', 'e'], ['s'])], ['s']),
  body('else_branch', [node('MatMul', ['c', 'w'], ['p']), node('Add', ['m', 'p'], ['t'])], ['t']),
);
const repeated = [
  node('Cast', ['yes'], ['go'], intAttribute('to', 9)),
  node(
    'Loop',
    ['times', 'go', 'm'],
    ['y', 'each'],
    body(
      'body',
      [node('Add', ['state', 'c'], ['next']), largest('next', 'place'), node('Identity', ['on'], ['still'])],
      ['still', 'next', 'place'],
      [value('i', 'i64'), value('on', 'bool'), value('state', 'f32', 5, 8)],
    ),
  ),
];
const scanned = [
  node(
    'Scan',
    ['m'],
    ['y'],
    intAttribute('num_scan_inputs', 1),
    body(
      'body',
      [node('MatMul', ['row', 'w'], ['p']), node('Sub', ['p', 'zero'], ['q'])],
      ['q'],
      [value('row', 'f32', 8)],
    ),
  ),
];

describe.each(['f16', 'bf16'] as const)('in %s', (precision) => {
  test.each([
    ['an If that yields integers', around([places], 'i64'), []],
    ['an If that yields integers', around([places], 'i64'), ['If']],
    ['an If in an If', around([nested], 'i64'), []],
    ['an If in an If', around([nested], 'i64'), ['If']],
    ['an If that yields floats', around([sums], 'f32'), []],
    ['an If that yields floats', around([sums], 'f32'), ['If']],
    ['a Loop', around(repeated, 'f32'), []],
    ['a Scan', around(scanned, 'f32'), []],
    ['a product', around([node('Exp', ['c'], ['y'])], 'f32'), ['MatMul']],
  ] as const)(
    '%s has consistent types (case %#)',
    async (_, m, fallbackOps) => {
      const path = join(dir, 'model.onnx');
      writeFileSync(path, encodeModel(m));
      const output = join(mkdtempSync(join(dir, 'case-')), 'engine');
      const { engine } = await convert(path, {
        ...{ output, target: 'emulated', verify: false, precision, fallbackOps },
      });
      expect(
        (await diff(output, { model: path, fallbackOps })).outputs.map((o) => o.comparison.pass),
      ).toEqual([true]);
      const session = await InferenceSession.create(output, { threads: 1 });
      const { manifest } = session;
      const compiled = engine.segments.flatMap((s) => (s.code ? [s.segment] : []));
      const found = deviations(session, inputsFor(manifest, 0), compiled, reference, manifest.scale!);
      for await (const { reason } of found) expect(reason).toBe('');
      await session.dispose();
    },
    120_000,
  );
});
