import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { cpp } from '../codegen/cpp.js';
import type { WeightStore } from '../codegen/host-program.js';
import { cpuKernelSet } from '../codegen/host-program.js';
import type { Kernel } from '../codegen/kernel.js';
import type { CpuTarget } from '../codegen/target.js';
import type { Backend } from './backend.js';
import { type BuiltEngine, buildEngine } from './build-engine.js';
import { cpuBackend } from './cpu-backend.js';
import { symbol } from './ir/dim.js';
import type { ScalarFunction } from './ir/expr.js';
import { type Graph, graph, inputValue, type Node, shapeOf, type Value } from './ir/graph.js';
import { tensor } from './ir/type.js';
import { dims } from './ops/constant.js';
import { if_ } from './ops/control-flow.js';
import { builder } from './ops/op.js';
import { callOf, pointwise } from './ops/pointwise.js';

const cacheDirectory = mkdtempSync(join(tmpdir(), 'ait-build-engine-'));
afterAll(() => rmSync(cacheDirectory, { recursive: true, force: true }));

const cpu = await cpuBackend('native');

/** Pointwise nodes that are worth compiling, but for those of some names. */
const backendWith = (replace: (n: Node) => Partial<Kernel> | undefined): Backend => ({
  ...cpu,
  work: () => 1e9,
  ...cpuKernelSet(cpu.target as CpuTarget, (n) => ({ ...cpu.kernelOf(n), ...replace(n) })),
});
const throws: Partial<Kernel> = {
  emit: () => {
    throw new TypeError('no such thing');
  },
};
const broken: Partial<Kernel> = { emit: (_, k) => cpp`${k.output()}[0] = no_such_thing;` };
const named =
  (name: string, kernel: Partial<Kernel>) =>
  (n: Node): Partial<Kernel> | undefined =>
    n.origin.name === name ? kernel : undefined;

const call = (fn: ScalarFunction, name: string, ...xs: readonly Value[]): Value =>
  builder({ format: 'onnx', name, opType: fn })(pointwise, xs, callOf(fn, xs.length));
const x = inputValue('x', tensor('f32', [symbol('B', 1, 8), 16]));
const [before, bad, after] = ['before', 'bad', 'after'];
const one = call('exp', before, x);
const two = call('abs', bad, one);
const chain = graph([x], [call('sqrt', after, two)], ['y']);

function build(g: Graph, backend: Backend): Promise<BuiltEngine> {
  let bytes = 0;
  const store = (): WeightStore => ({
    get bytes() {
      return bytes;
    },
    append: (l) => {
      bytes += Math.ceil(l.byteLength / 64) * 64;
      return bytes - l.byteLength;
    },
  });
  return buildEngine(g, backend, { cacheDirectory, weights: store });
}

const fallen = ({ partition }: BuiltEngine): Readonly<Record<string, string>> =>
  Object.fromEntries(
    partition.decisions.flatMap(({ node, reason }) =>
      reason === undefined ? [] : [[node.origin.name, reason]],
    ),
  );
const kinds = (e: BuiltEngine): string => e.segments.map((s) => s.segment.kind).join(' ');

test('without failures there is one segment and a library', async () => {
  const engine = await build(
    chain,
    backendWith(() => undefined),
  );
  expect([kinds(engine), fallen(engine)]).toEqual(['engine', {}]);
  expect(engine.library?.subarray(0, 4).toString('latin1')).toBe('\x7fELF');
  const again = await build(
    chain,
    backendWith(() => undefined),
  );
  expect(again.sources).toEqual(engine.sources);
  expect([again.built, again.fresh]).toEqual([0, []]);
});

describe('a kernel costs its node, and no other, when it', () => {
  test('cannot be generated', async () => {
    const engine = await build(chain, backendWith(named(bad, throws)));
    expect(kinds(engine)).toBe('engine fallback engine');
    expect(fallen(engine)).toEqual({ bad: 'generating its kernel failed: no such thing' });
    expect(engine.library).toBeDefined();
  });

  test('does not compile, though others share its unit', async () => {
    const engine = await build(chain, backendWith(named(bad, broken)));
    expect(kinds(engine)).toBe('engine fallback engine');
    expect(Object.keys(fallen(engine))).toEqual([bad]);
    expect(fallen(engine)[bad]).toMatch(/^its kernel did not compile: .*no_such_thing/);
    expect(engine.library).toBeDefined();
  });
});

test('every node of a kernel that does not compile falls back', async () => {
  const engine = await build(
    chain,
    backendWith((n) => (n.op === (pointwise as unknown) ? broken : undefined)),
  );
  expect([kinds(engine), engine.library]).toEqual(['fallback', undefined]);
  expect(Object.keys(fallen(engine)).sort()).toEqual([after, bad, before].sort());
});

test('a node that a segment has for itself takes the segment with it', async () => {
  const extents = builder({ format: 'onnx', name: 'extents' })(dims, [], {
    dims: shapeOf(x),
    dtype: 'i64',
    shape: [2],
  });
  const g = graph([x], [one, extents], ['y', 'extents']);
  const engine = await build(
    g,
    backendWith((n) => (n.op === (dims as unknown) ? broken : undefined)),
  );
  expect(fallen(engine)[before]).toMatch(/^its kernel did not compile/);
  expect(engine.library).toBeUndefined();
});

test('a failure in a branch costs the If', async () => {
  const inner = inputValue('inner', tensor('f32', [4]));
  const body = (fn: 'exp' | 'abs', name: string): Graph => graph([inner], [call(fn, name, inner)]);
  const [c, v] = [inputValue('c', tensor('bool', [])), inputValue('v', tensor('f32', [4]))];
  const chosen = builder({ format: 'onnx', name: 'choice', opType: 'If' })(
    if_,
    [c, call('neg', 'outer', v)],
    {
      thenBranch: body('exp', 'fine'),
      elseBranch: body('abs', bad),
      captured: 1,
      outputs: [tensor('f32', [4])],
    },
  );
  const engine = await build(graph([c, v], [chosen], ['y']), backendWith(named(bad, throws)));
  expect(fallen(engine)).toEqual({ choice: 'generating its kernel failed: no such thing' });
  const late = await build(graph([c, v], [chosen], ['y']), backendWith(named(bad, broken)));
  expect(Object.keys(fallen(late))).toEqual(['choice']);
});

test('a program that does not compile gives its segments back', async () => {
  const wrapper = join(cacheDirectory, 'compiler');
  const refuse = `if grep -q 'const ait::Contents ait_contents' "$f"; then echo "error: no programs today" >&2; exit 1; fi`;
  writeFileSync(wrapper, `#!/bin/sh\nfor f; do case "$f" in *.cpp) ${refuse};; esac; done\nexec g++ "$@"\n`, {
    mode: 0o755,
  });
  const backend = backendWith(() => undefined);
  const engine = await build(chain, { ...backend, compiler: { ...cpu.compiler, path: wrapper } });
  expect([kinds(engine), engine.library]).toEqual(['fallback', undefined]);
  expect(fallen(engine)[bad]).toMatch(/^its segment's program did not compile: .*no programs today/);
});

test('a dry run generates nothing', async () => {
  const backend = backendWith(named(before, throws));
  const engine = await buildEngine(chain, backend, {
    cacheDirectory,
    partitionOnly: true,
    weights: () => {
      throw new Error('no store is needed');
    },
  });
  expect([kinds(engine), engine.sources, fallen(engine)]).toEqual(['engine', [], {}]);
});
