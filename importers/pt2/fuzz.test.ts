import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { pathOf } from '../../fixtures/pt2/material.js';
import { atenConverters } from '../../src/ops/aten/index.js';
import { memoryBlob } from '../../src/support/blob.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { importProgram } from '../fx/import.js';
import { openExport } from './archive.js';
import { zipOf } from './zip.fixtures.js';
import { readZip } from './zip.js';

/** What happened, when it was neither an import nor an error for the user. */
function accident(bytes: Uint8Array): string | undefined {
  try {
    importProgram(openExport(memoryBlob(bytes), undefined), { converters: atenConverters, warn: () => {} });
    return undefined;
  } catch (e) {
    return e instanceof CompileError ? undefined : ((e as Error).stack ?? String(e));
  }
}

const runs = 300;
const names = ['mlp', 'conv', 'attention', 'blocks', 'unbacked', 'in_place', 'weights_torch2.7'];
// Doubles would crowd around 0.
const share = fc.nat(1_000_000).map((n) => n / 1_000_000);
const chosen = fc.constantFrom(...names);

it('bytes of an archive changed: an import or an error that names what is wrong', () => {
  const edits = fc.array(fc.tuple(share, fc.nat(255)), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(chosen, edits, (name, changes) => {
      const bytes = new Uint8Array(readFileSync(pathOf(name)));
      for (const [at, to] of changes) bytes[Math.floor(at * (bytes.length - 1))] = to;
      expect(accident(bytes)).toBeUndefined();
    }),
    { numRuns: runs },
  );
});

type Tree = null | boolean | number | string | Tree[] | { [key: string]: Tree };

/** Every place in a tree, as the object and the key. */
function places(tree: Tree, into: (readonly [{ [key: string]: Tree }, string])[] = []): typeof into {
  if (typeof tree !== 'object' || tree === null) return into;
  const node = tree as { [key: string]: Tree };
  for (const key of Object.keys(node)) {
    into.push([node, key]);
    places(node[key]!, into);
  }
  return into;
}

it('parts of a program replaced: an import or an error that names what is wrong', () => {
  const values = fc.constantFrom<Tree>(
    null,
    -1,
    0,
    1,
    2 ** 40,
    1.5,
    'x',
    '',
    [],
    {},
    true,
    [1, 2],
    { as_int: -7 },
    { as_none: true },
  );
  const edits = fc.array(fc.tuple(share, values), {
    minLength: 1,
    maxLength: 3,
  });
  const originals = new Map(
    names.map((name) => {
      const members = [...readZip(memoryBlob(new Uint8Array(readFileSync(pathOf(name))))).values()];
      return [name, members.map((m) => ({ name: m.name, data: m.blob.read() }))];
    }),
  );
  fc.assert(
    fc.property(chosen, edits, (name, changes) => {
      const members = originals.get(name)!.map((m) => {
        if (!/models\/model\.json$|exported_program\.json$/.test(m.name)) return m;
        const tree = JSON.parse(new TextDecoder().decode(m.data)) as Tree;
        for (const [at, value] of changes) {
          const all = places(tree);
          const [node, key] = all[Math.floor(at * (all.length - 1))]!;
          node[key] = structuredClone(value);
        }
        return { name: m.name, data: new TextEncoder().encode(JSON.stringify(tree)) };
      });
      expect(accident(zipOf(members))).toBeUndefined();
    }),
    { numRuns: runs },
  );
});
