import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  errorOf,
  floats,
  imported,
  longs,
  model,
  node,
  value,
} from '../../fixtures/onnx-importer/material.js';
import type { Graph as IrGraph } from '../../src/ir/graph.js';
import { nodesOf } from '../../src/ir/rewrite.js';
import { showType } from '../../src/ir/type.js';
import {
  floatAttribute,
  floatsAttribute,
  intAttribute,
  intsAttribute,
  makeAttribute,
  stringAttribute,
  stringsAttribute,
  tensorAttribute,
} from '../../src/onnx/make.js';
import { type Attribute, attributeType, dataLocation } from '../../src/onnx/types.js';
import { constant } from '../../src/ops/constant.js';
import { unpackStrings } from './literals.js';

const constants = (g: IrGraph) => nodesOf(g, constant).map((n) => n.attrs.value);

describe('constants', () => {
  const literalOf = (...attrs: readonly Attribute[]) => {
    const { graph } = imported(
      model({ node: [node('Constant', [], ['c'], ...attrs)], output: [value('c')] }),
    );
    return constants(graph)[0]!;
  };
  const sparse = {
    values: floats('s', [2], [5, 6]),
    indices: longs('', [2], [1, 3]),
    dims: [2, 2],
  };

  it.each([
    ['value', tensorAttribute('value', floats('', [2], [1, 2])), 'f32[2]', [1, 2]],
    ['value_float', floatAttribute('value_float', 0.5), 'f32[]', [0.5]],
    ['value_floats', floatsAttribute('value_floats', [1, 2]), 'f32[2]', [1, 2]],
    ['value_int', intAttribute('value_int', 3), 'i64[]', [3]],
    ['value_ints', intsAttribute('value_ints', [3, -4]), 'i64[2]', [3, -4]],
    [
      'sparse_value',
      makeAttribute({ name: 'sparse_value', type: attributeType.sparseTensor, sparseTensor: sparse }),
      'f32[2,2]',
      [0, 5, 0, 6],
    ],
  ] as const)('are read from %s', (_, attr, type, values) => {
    const literal = literalOf(attr);
    expect(showType(literal.type)).toBe(type);
    expect(literal.numbers()).toEqual(values);
  });

  it('are read from strings', () => {
    expect(unpackStrings(literalOf(stringAttribute('value_string', 'é')).bytes())).toEqual(['é']);
    const list = literalOf(stringsAttribute('value_strings', ['a', '', 'bc']));
    expect(list.shape).toEqual([3]);
    expect(unpackStrings(list.bytes())).toEqual(['a', '', 'bc']);
  });

  it('are read from sparse initializers with one index for each axis', () => {
    const byAxis = { ...sparse, indices: longs('', [2, 2], [0, 1, 1, 1]) };
    const { graph } = imported(model({ sparseInitializer: [byAxis], output: [value('s')] }));
    expect(constants(graph)[0]!.numbers()).toEqual([0, 5, 0, 6]);
    const outside = { ...sparse, indices: longs('', [2], [1, 4]) };
    const broken = model({ sparseInitializer: [outside], output: [value('s')] });
    expect(errorOf(() => imported(broken)).code).toBe('bad-sparse-tensor');
  });

  it('in other files are read when they are needed', () => {
    const dir = mkdtempSync(join(tmpdir(), 'ait-external-'));
    try {
      const entry = (key: string, text: string) => ({ key, value: text });
      const w = {
        ...floats('w', [2], [0, 0]),
        rawData: undefined,
        dataLocation: dataLocation.external,
        externalData: [entry('location', 'w.bin'), entry('offset', '4'), entry('length', '8')],
      };
      writeFileSync(join(dir, 'w.bin'), new Uint8Array(Float32Array.of(9, 1, 2).buffer));
      const { graph } = imported(model({ initializer: [w], output: [value('w')] }), { baseDir: dir });
      expect(constants(graph)[0]!.numbers()).toEqual([1, 2]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
