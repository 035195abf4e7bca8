import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { floats, longs, model, node, value } from '../fixtures/onnx-importer/material.js';
import { convert } from './compile.js';
import { encodeModel } from './onnx/encode.js';
import { graphAttribute, intAttribute, makeGraph } from './onnx/make.js';
import type { Node, ValueInfo } from './onnx/types.js';
import { OnnxruntimeProcess } from './runtime/reference.js';
import { InferenceSession } from './runtime/session.js';
import { compareOutputs, referenceRun } from './verify.js';
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
const around = (nodes: readonly Node[], ...outputs: readonly ValueInfo[]) =>
  model({
    input: [value('x', 'f32', 5, 8), value('flag', 'bool')],
    initializer: [
      floats('w', [8, 8], weights),
      floats('zero', [], [0]),
      longs('times', [], [3]),
      longs('yes', [], [1]),
    ],
    node: [node('MatMul', ['x', 'w'], ['m']), node('Relu', ['m'], ['c']), ...nodes],
    output: [...outputs],
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
const places = node('If', ['flag'], ['places'], ...branches([largest('m', 'place')], 'place'));
const nested = node(
  'If',
  ['flag'],
  ['nested'],
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
  ['sums'],
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
const scanned = node(
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
);

const ifs = around(
  [places, nested, sums],
  value('places', 'i64', 5),
  value('nested', 'i64', 5),
  value('sums', 'f32', 5, 8),
);
const floatsOf = (...nodes: readonly Node[]) => around(nodes, value('y', 'f32', 5, 8));

describe.each(['f16', 'bf16'] as const)('in %s', (precision) => {
  test.each([
    ['Ifs that yield integers and floats', ifs, []],
    ['Ifs left to onnxruntime', ifs, ['If']],
    ['a Loop', floatsOf(...repeated), []],
    ['a Scan', floatsOf(scanned), []],
    ['a product', floatsOf(node('Exp', ['c'], ['y'])), ['MatMul']],
  ] as const)('%s: types are consistent', async (_, m, fallbackOps) => {
    const own = mkdtempSync(join(dir, 'case-'));
    const path = join(own, 'model.onnx');
    writeFileSync(path, encodeModel(m));
    const output = join(own, 'engine');
    const { engine } = await convert(path, {
      ...{ output, target: 'emulated', verify: false, precision, fallbackOps },
    });
    const session = await InferenceSession.create(output, { threads: 1 });
    const { manifest } = session;
    const run = await referenceRun(manifest, path, reference, 0);
    const outputs = await compareOutputs(session, run, manifest.scale!);
    expect(outputs.filter((o) => !o.comparison.pass)).toEqual([]);
    expect(outputs.map((o) => o.output)).toEqual(m.graph!.output!.map((o) => o.name));
    const compiled = engine.segments.flatMap((s) => (s.code ? [s.segment] : []));
    for await (const { reason } of deviations(session, run.feeds, compiled, reference, manifest.scale!))
      expect(reason).toBe('');
    await session.dispose();
  });
});
