import { describe, expect, test } from 'vitest';
import { html } from './html.js';
import { compareTensors } from './metrics.js';
import { fallbackReasons, type NodeReport, type Report, shares } from './report.js';
import { renderReport } from './report-html.js';
import { formatBytes, formatCount, formatError, formatShare, formatWork } from './units.js';

const EVIL = `<script>alert("1")</script>'&\n</style>\u202e\ud800`;

const node = (fields: Partial<NodeReport>): NodeReport => ({
  name: 'n',
  operator: 'Conv',
  domain: '',
  placement: 'engine',
  work: 1000,
  ...fields,
});

const output = (values: readonly number[], expected: readonly number[]) => {
  const of = (v: readonly number[]) => ({
    dtype: 'f32',
    shape: [v.length],
    bytes: new Uint8Array(Float32Array.from(v).buffer),
  });
  return compareTensors(of(values), of(expected), { atol: 1e-3, rtol: 0 });
};

const report: Report = {
  tool: { name: 'ait-convert', version: '1.2.3' },
  model: {
    name: EVIL,
    format: 'ONNX',
    bytes: 5 * 1024,
    sha256: 'ab'.repeat(32),
    producer: EVIL,
    opsets: [{ domain: EVIL, version: 17 }],
    inputs: [{ name: EVIL, type: 'f32[batch,3]' }],
    outputs: [{ name: 'y', type: 'f32[batch]' }],
  },
  target: { kind: 'cpu', arch: 'native', isa: 'x86-64-v4', compiler: EVIL, threads: 1 },
  nodes: [
    node({ work: 9000, segment: 's0' }),
    node({
      name: EVIL,
      operator: EVIL,
      domain: EVIL,
      placement: 'fallback',
      reason: EVIL,
      remedy: EVIL,
      work: 1000,
    }),
    node({ placement: 'removed', operator: 'Constant', work: 0 }),
  ],
  segments: [
    {
      name: 's0',
      placement: 'engine',
      nodes: 1,
      work: 9000,
      kernels: 3,
      boundaryBytes: 2048,
      saves: 0.0123,
      costs: 41e-6,
    },
    { name: EVIL, placement: 'fallback', nodes: 1, work: 1000, kernels: 0 },
  ],
  kernels: Array.from({ length: 14 }, (_, i) => ({ name: `kernel_${i}`, calls: 1, work: i, cached: i < 4 })),
  stages: [{ name: 'import', seconds: 0.25 }],
  memory: { weights: 1024, library: 2048 },
  accuracy: {
    reference: 'onnxruntime 1.30',
    inputs: EVIL,
    outputs: [
      { name: EVIL, comparison: output([1, 2], [1, 2.5]) },
      { name: 'y', comparison: output([1, 2], [1, 2]) },
    ],
  },
  warnings: [EVIL],
};

test('nothing from a model reaches the page as markup', () => {
  const page = renderReport(report);
  expect(page).not.toMatch(/<script|alert\("|\u202e|\ud800/);
  expect(page.match(/<\/style>/g)).toHaveLength(1);
  expect(page.split('&lt;script&gt;alert(&quot;1&quot;)').length - 1).toBeGreaterThanOrEqual(15);
});

test('the page needs nothing from elsewhere and its tags close', () => {
  const page = renderReport(report);
  expect(page).not.toMatch(/\b(src|href)=|url\(|@import|https?:/);
  const open: string[] = [];
  for (const [, close, tag] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)[^>]*>/g)) {
    if (tag === 'meta') continue;
    if (close === '') open.push(tag ?? '');
    else expect(open.pop()).toBe(tag);
  }
  expect(open).toEqual([]);
});

test('the figures are there', () => {
  const page = renderReport(report);
  for (const text of [
    '<b>90.0 %</b>',
    '<b>1 of 2</b>',
    '1 of 2 fail',
    '10 built, 4 from cache',
    '2 more kernels',
  ])
    expect(page).toContain(text);
  expect(page).toContain('1 of 2 elements outside; the worst at [1]: 2 where 2.5 is expected');
});

test('an engine without fallback, comparison or kernels has no empty tables', () => {
  const { accuracy: _, ...rest } = report;
  const page = renderReport({
    ...rest,
    nodes: [node({})],
    segments: [],
    kernels: [],
    stages: [],
    warnings: [],
  });
  expect(page).toContain('not checked');
  expect(page).not.toMatch(/Left to onnxruntime|<h2>(Accuracy|Segments|Kernels|To know)/);
});

test('a report survives JSON', () => {
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

test('work by place, reasons by cost', () => {
  const nodes = [
    node({ placement: 'fallback', operator: 'A', reason: 'cheap', work: 1 }),
    node({ placement: 'fallback', operator: 'B', reason: 'dear', work: 5 }),
    node({ placement: 'fallback', operator: 'C', reason: 'dear', work: 7, remedy: 'do this' }),
    node({ work: 100 }),
  ];
  expect(shares(nodes)).toEqual({
    engine: { nodes: 1, work: 100 },
    fallback: { nodes: 3, work: 13 },
    removed: { nodes: 0, work: 0 },
  });
  expect(fallbackReasons(nodes)).toMatchObject([
    { reason: 'dear', nodes: 2, work: 12, operators: ['B', 'C'], remedy: 'do this' },
    { reason: 'cheap', nodes: 1, work: 1, operators: ['A'], remedy: undefined },
  ]);
});

describe('html', () => {
  test('fragments nest unescaped, text does not', () => {
    expect(html`<i>${'<b>'}${html`<u>${[1, undefined, '&']}</u>`}</i>`.text).toBe(
      '<i>&lt;b&gt;<u>1&amp;</u></i>',
    );
  });
});

test('quantities', () => {
  expect([0, 1000, 1024, 1536, 123456789, 1048575].map(formatBytes)).toEqual([
    '0 B',
    '1000 B',
    '1.00 KiB',
    '1.50 KiB',
    '118 MiB',
    '1.00 MiB',
  ]);
  expect([12, 12544, 2.3e8, 1.02e10].map(formatWork)).toEqual(['12', '12.5 k', '230 M', '10.2 G']);
  expect(
    [
      [1, 2],
      [1, 1],
      [0, 9],
      [1, 1e6],
      [999_999, 1e6],
      [0, 0],
    ].map(([a, b]) => formatShare(a!, b!)),
  ).toEqual(['50.0 %', '100 %', '0 %', '< 0.1 %', '> 99.9 %', '–']);
  expect([0, 0.25, 1e-7, 123456].map(formatError)).toEqual(['0', '0.25', '1.00e-7', '1.23e+5']);
  expect([7, 1234, 1234567].map(formatCount)).toEqual(['7', '1\u202f234', '1\u202f234\u202f567']);
});
