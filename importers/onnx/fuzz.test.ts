import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { publishedModels } from '../../fixtures/onnx-codec/material.js';
import { imported } from '../../fixtures/onnx-importer/material.js';
import { verifier } from '../../src/ir/verify.js';
import { decodeModel } from '../../src/onnx/decode.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { exportOnnx } from './export.js';

type Choose = (limit: number) => number;

/** A record with one thing in it changed: a name, a number, a list's length or order, a field left out. */
function mutated(x: unknown, names: readonly string[], choose: Choose): unknown {
  const pick = <T>(list: readonly T[]): T => list[choose(list.length)]!;
  if (typeof x === 'string') return pick(['', `${x}_`, 'If', 'Reshape', ...names]);
  if (typeof x === 'number') return pick([0, -1, 1, x + 1, -x, 2 ** 40]);
  if (typeof x === 'bigint') return pick([0n, -1n, 1n, x + 1n, 2n ** 63n - 1n]);
  if (ArrayBuffer.isView(x) || typeof x !== 'object' || x === null) return x;
  if (Array.isArray(x)) {
    if (x.length === 0) return x;
    const at = choose(x.length);
    const changed = x.map((item, i) => (i === at ? mutated(item, names, choose) : item));
    return choose(8) > 0 ? changed : pick([x.slice(1), [...x, x[at]], x.toReversed()]);
  }
  const keys = Object.entries(x).flatMap(([key, v]) =>
    v === undefined || v === '' || (Array.isArray(v) && v.length === 0) ? [] : [key],
  );
  if (keys.length === 0) return x;
  const key = pick(keys);
  return { ...x, [key]: mutated((x as Record<string, unknown>)[key], names, choose) };
}

it('a changed model is imported and written back, or refused with a reason', () => {
  const models = publishedModels().map(([, bytes]) => decodeModel(bytes));
  let written = 0;
  const run = (which: number, seeds: readonly number[]): void => {
    const original = models[which % models.length]!;
    const names = original.graph.node.flatMap((n) => n.output);
    let graph: unknown = original.graph;
    for (const seed of seeds) {
      let state = seed;
      const choose: Choose = (limit) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor((state / 2 ** 32) * limit);
      };
      graph = mutated(graph, names, choose);
    }
    try {
      const model = decodeModel(encodeModel({ ...original, graph } as typeof original));
      const { graph: ir } = imported(model);
      verifier([])('imported')(ir);
      encodeModel(exportOnnx(ir));
      written++;
    } catch (e) {
      expect(e).toBeInstanceOf(CompileError);
      expect((e as CompileError).code).not.toBe('broken-graph');
    }
  };
  fc.assert(fc.property(fc.nat(100), fc.array(fc.nat(), { minLength: 1, maxLength: 3 }), run), {
    numRuns: 120,
  });
  expect(written).toBeGreaterThan(10);
});
