import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/*
 * The layers of the product and what each may import of the others. README.md shows the same table. Tests and
 * fixtures are free: they may compare anything with anything.
 */
const layers: Readonly<Record<string, readonly string[]>> = {
  'src/support': [],
  'src/onnx': ['support'],
  'src/ir': ['support'],
  'src/ops': ['ir', 'support'],
  importers: ['onnx', 'ops', 'ir', 'support'],
  lowering: ['ops', 'ir', 'support'],
  codegen: ['ir', 'artifact', 'support'],
  kernels: ['codegen', 'ops', 'ir', 'support'],
  'src/artifact': ['onnx', 'support'],
  'src/runtime': ['artifact', 'support'],
  'src/accuracy': ['runtime', 'onnx', 'support'],
  'src/cli': ['all'],
  'src/*.ts': ['all'],
};

/** Packages that belong to one layer; the others of `dependencies` may be used where they serve. */
const owners: Readonly<Record<string, string>> = {
  protobufjs: 'src/onnx',
  'onnxruntime-node': 'src/runtime',
  'onnxruntime-common': 'src/runtime',
  koffi: 'src/runtime',
  yargs: 'src/cli',
};

const root = fileURLToPath(new URL('.', import.meta.url));
const text = (file: string): string => readFileSync(join(root, file), 'utf8');
const isTest = (file: string): boolean => /\.(test|fixtures)\.ts$/.test(file);

const files = ['src', 'importers', 'lowering', 'codegen', 'kernels'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile() && f.name.endsWith('.ts'))
    .map((f) => relative(root, join(f.parentPath, f.name)).replaceAll(sep, '/')),
);
const product = files.filter((file) => !isTest(file));

/** `src/ops/conv.ts` lies in `src/ops`, `kernels/cpu/conv.ts` in `kernels`, `src/diff.ts` in `src/*.ts`. */
function layerOf(file: string): string {
  const [first, second, ...rest] = file.split('/');
  if (first !== 'src') return first!;
  return rest.length === 0 ? 'src/*.ts' : `src/${second}`;
}

const patterns = [
  /^(?:import|export)\s[^;'"]*?\bfrom\s+'([^']+)'/gm,
  /^import\s+'([^']+)'/gm,
  /\bimport\(\s*'([^']+)'/g,
  /\brequire(?:\.resolve)?\(\s*'([^']+)'/g,
];

const importsOf = (source: string): readonly string[] =>
  patterns.flatMap((pattern) => [...source.matchAll(pattern)].map((found) => found[1]!));

interface Import {
  readonly from: string;
  readonly specifier: string;
}

const imports: readonly Import[] = product.flatMap((from) =>
  importsOf(text(from)).map((specifier) => ({ from, specifier })),
);
const local = imports
  .filter(({ specifier }) => specifier.startsWith('.'))
  .map(({ from, specifier }) => ({ from, to: posix.join(posix.dirname(from), specifier) }));
const packages = imports
  .filter(({ specifier }) => !/^(\.|node:)/.test(specifier))
  .map(({ from, specifier }) => ({ from, name: /^(?:@[^/]+\/)?[^/]+/.exec(specifier)![0] }));

const said = ({ from, to }: { readonly from: string; readonly to: string }): string =>
  `${from} imports ${to}`;

test('every spelling of an import is seen', () => {
  const source = [
    "import { a } from './a.js';",
    "import type {\n  B,\n  C,\n} from './b.js';",
    "export * from './c.js';",
    "export { type D, d } from './d.js';",
    "import './e.js';",
    "const f = await import('./f.js');",
    "export type F = import('./g.js').G;",
    "const h = createRequire(import.meta.url)('h') ?? require('./h.js');",
    "const text = 'from nowhere';",
  ].join('\n');
  expect(importsOf(source).toSorted()).toEqual('abcdefgh'.split('').map((name) => `./${name}.js`));
  expect(local.length).toBeGreaterThan(500);
});

test('every folder is a layer', () => {
  expect([...new Set(files.map(layerOf))].toSorted()).toEqual(Object.keys(layers).toSorted());
});

test('layers import only what the table allows', () => {
  const allowed = (from: string, to: string): boolean => {
    const may = layers[from] ?? [];
    return from === to || may.includes('all') || may.includes(to.replace('src/', ''));
  };
  const wrong = local.filter(({ from, to }) => !allowed(layerOf(from), layerOf(to)));
  expect(wrong.map(said)).toEqual([]);
});

test('kernels/cpu and kernels/gpu do not import one another', () => {
  const targetOf = (file: string): string | undefined => /^kernels\/(cpu|gpu)\//.exec(file)?.[1];
  const kernels = local.filter(({ from }) => from.startsWith('kernels/'));
  expect(new Set(kernels.map(({ from }) => targetOf(from)))).toEqual(new Set(['cpu', 'gpu', undefined]));
  const wrong = kernels.filter(({ from, to }) => targetOf(to) && targetOf(to) !== targetOf(from));
  expect(wrong.map(said)).toEqual([]);
});

test('the product imports nothing of the tests', () => {
  const wrong = local.filter(
    ({ to }) => isTest(to.replace(/\.js$/, '.ts')) || layers[layerOf(to)] === undefined,
  );
  expect(wrong.map(said)).toEqual([]);
});

test('packages stay in the layer that knows them', () => {
  const wrong = packages.filter(({ from, name }) => (owners[name] ?? layerOf(from)) !== layerOf(from));
  expect(wrong.map(({ from, name }) => said({ from, to: name }))).toEqual([]);
});

test('every package imported is a dependency, and every dependency is imported', () => {
  const { dependencies } = JSON.parse(text('package.json')) as { dependencies: Record<string, string> };
  expect([...new Set(packages.map(({ name }) => name))].toSorted()).toEqual(
    Object.keys(dependencies).toSorted(),
  );
});

test('the README shows this table', () => {
  const rows = [...text('README.md').matchAll(/^\| `([^|]+)` \| ([a-z, –]+) \|/gm)]
    .map(([, folders, may]) => [folders!.split('`, `'), may!] as const)
    .filter(([folders]) => folders.some((folder) => layers[folder]))
    .flatMap(([folders, may]) => folders.map((folder) => [folder, may === '–' ? [] : may.split(', ')]));
  expect(Object.fromEntries(rows)).toEqual(layers);
});
