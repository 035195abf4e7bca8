import { describe, expect, it } from 'vitest';
import { pathOf } from '../../fixtures/pt2/material.js';
import type { Graph } from '../../src/ir/graph.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { atenConverters } from '../../src/ops/aten/index.js';
import { fileBlob, memoryBlob } from '../../src/support/blob.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { importProgram } from '../fx/import.js';
import { exportOnnx } from '../onnx/export.js';
import { isExport, openExport } from './archive.js';
import { type Written, zipOf } from './zip.fixtures.js';
import { readZip } from './zip.js';

const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const member = (name: string, data: string | Uint8Array): Written => ({
  name,
  data: typeof data === 'string' ? text(data) : data,
});

/** The members of a fixture, without the folder they lie in. */
const membersOf = (name: string): ReadonlyMap<string, Uint8Array> =>
  new Map(
    [...readZip(fileBlob(pathOf(name))).values()].map((m) => [
      m.name.slice(m.name.indexOf('/') + 1),
      m.blob.read(),
    ]),
  );

function changed(
  name: string,
  changes: Readonly<Record<string, Uint8Array | string | undefined>>,
  root = 'm',
): Uint8Array {
  const members = new Map<string, Uint8Array>(membersOf(name));
  for (const [key, value] of Object.entries(changes))
    if (value === undefined) members.delete(key);
    else members.set(key, typeof value === 'string' ? text(value) : value);
  return zipOf([...members].map(([key, data]) => member(`${root}/${key}`, data)));
}

const json = (name: string, key: string): string => new TextDecoder().decode(membersOf(name).get(key));

function imported(bytes: Uint8Array, program?: string) {
  return importProgram(openExport(memoryBlob(bytes), program), { converters: atenConverters, warn: () => {} })
    .graph;
}

function refusal(bytes: Uint8Array): string {
  try {
    imported(bytes);
  } catch (e) {
    if (e instanceof CompileError) return `${e.code}: ${e.message}`;
    throw e;
  }
  return 'taken';
}

const exportedText = (g: Graph): string => Buffer.from(encodeModel(exportOnnx(g))).toString('base64');

/** Of this process: other work on the machine is not counted. */
function cpuSeconds(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

const model = 'models/model.json';
const config = 'data/weights/model_weights_config.json';

describe('archives', () => {
  it('take their root from the members: the file may have been renamed', () => {
    expect(imported(changed('mlp', {}, 'another name')).outputNames).toEqual(['output']);
    expect(imported(changed('mlp', {}, 'archive')).outputNames).toEqual(['output']);
  });

  it('may hold several programs', () => {
    const renamed = (s: string): string => s.replace(/\/model([._])/, '/other$1');
    const both = [...membersOf('mlp')].flatMap(([key, data]): readonly Written[] => [
      member(`m/${key}`, data),
      ...(renamed(`/${key}`) === `/${key}` ? [] : [member(`m${renamed(`/${key}`)}`, data)]),
    ]);
    const bytes = zipOf(both);
    expect(imported(bytes, 'other').outputNames).toEqual(['output']);
    expect(imported(bytes).outputNames).toEqual(['output']);
    expect(() => imported(bytes, 'third')).toThrow('no program "third"');
  });

  it('may use the sizes of zip64 throughout', () => {
    const all = [...membersOf('mlp')].map(
      ([key, data]): Written => ({ name: `m/${key}`, data, zip64: true }),
    );
    expect(imported(zipOf(all, { zip64: true })).outputNames).toEqual(['output']);
  });

  it('may be written on a big-endian machine', () => {
    const swapped = Object.fromEntries(
      [...membersOf('mlp')]
        .filter(([key]) => key.startsWith('data/weights/weight_'))
        .map(([key, data]) => [key, Buffer.from(data).swap32()]),
    );
    const bytes = changed('mlp', { byteorder: 'big', ...swapped });
    const weight = openExport(memoryBlob(bytes), undefined).weight('weights', 'first.weight');
    const original = openExport(fileBlob(pathOf('mlp')), undefined).weight('weights', 'first.weight');
    expect(weight.numbers()).toEqual(original.numbers());
  });

  it('a program may be a JSON file by itself, its weights in a safetensors file beside it', () => {
    const archive = openExport(fileBlob(pathOf('mlp')), undefined);
    const names = ['first.weight', 'first.bias', 'second.weight', 'second.bias'];
    const header: Record<string, unknown> = {};
    const parts: Uint8Array[] = [];
    let at = 0;
    for (const name of names) {
      const { shape, byteLength } = archive.weight('weights', name);
      header[name] = { dtype: 'F32', shape, data_offsets: [at, at + byteLength] };
      parts.push(archive.weight('weights', name).bytes());
      at += byteLength;
    }
    const head = text(JSON.stringify(header));
    const length = new Uint8Array(BigUint64Array.of(BigInt(head.length)).buffer);
    const beside = memoryBlob(new Uint8Array(Buffer.concat([length, head, ...parts])));
    const plain = text(json('mlp', model));
    const options = { converters: atenConverters, warn: () => {} };
    const { graph } = importProgram(
      openExport(memoryBlob(plain), undefined, () => beside),
      options,
    );
    expect(exportedText(graph)).toBe(exportedText(imported(changed('mlp', {}))));
    expect(refusal(plain)).toMatch(/^weights-missing: .*a JSON file alone holds no tensors/);
  });

  it('weights may be of eight bits, halves, or complex', () => {
    const file = openExport(fileBlob(pathOf('formats')), undefined);
    expect(file.weight('weights', 'small')).toMatchObject({ dtype: 'f8e4m3fn', shape: [4], byteLength: 4 });
    expect(file.weight('weights', 'wide')).toMatchObject({ dtype: 'f8e5m2', shape: [4], byteLength: 4 });
    expect(file.weight('weights', 'short').numbers()).toEqual([0.5, -1.5, 240, 0]);
    const wave = file.weight('weights', 'wave');
    expect(wave).toMatchObject({ dtype: 'c64', shape: [2] });
    expect([...new Float32Array(Uint8Array.from(wave.bytes()).buffer)]).toEqual([1, 2, -0, -3]);
  });

  it('weights may be windows of one storage, turned, or tied', () => {
    const file = openExport(fileBlob(pathOf('weights')), undefined);
    expect(file.weight('weights', 'left').numbers()).toEqual([2, 3, 4, 5]);
    expect(file.weight('weights', 'right').numbers()).toEqual([4, 5, 6, 7]);
    expect(file.weight('weights', 'turned').shape).toEqual([6, 4]);
    expect(file.weight('weights', 'turned').numbers().slice(0, 5)).toEqual([0, 6, 12, 18, 1]);
    expect(file.weight('weights', 'empty').byteLength).toBe(0);
    expect(file.weight('weights', 'a.weight')).toBe(file.weight('weights', 'b.weight'));
    expect(file.weight('constants', 'scratch').numbers()).toEqual([0.5, 0.5, 0.5, 0.5]);
  });
});

describe('what is refused, and what it is said to be', () => {
  const compiled = { [model]: undefined, 'data/aotinductor/model/x.wrapper.so': 'ELF' };
  it.each([
    ['a program that AOTInductor compiled', changed('mlp', compiled), 'AOTInductor compiled'],
    [
      'TorchScript',
      zipOf([member('m/data.pkl', 'x'), member('m/constants.pkl', 'x'), member('m/code/x.py', '')]),
      'TorchScript',
    ],
    ['torch.save', zipOf([member('m/data.pkl', 'x'), member('m/data/0', 'x')]), 'torch.save'],
    [
      'any other archive',
      zipOf([member('readme.txt', 'hello, this is no model')]),
      'none that PyTorch wrote',
    ],
    ['ExecuTorch', text('\0\0\0\0ET12 and more bytes to come'), 'ExecuTorch'],
    ['a pickle', Uint8Array.of(0x80, 2, 0x7d, 0x71, 0, 0x2e, ...new Uint8Array(30)), 'pickle'],
  ])('%s', (_, bytes, what) => {
    expect(isExport(memoryBlob(bytes))).toBe(true);
    expect(refusal(bytes)).toContain(what);
    try {
      imported(bytes);
    } catch (e) {
      const lines = (e as CompileError).hint?.split('\n').slice(1);
      expect(lines?.map((line) => line.trim())).toEqual([
        'import torch',
        'program = torch.export.export(module.eval(), (example_input,))',
        'torch.export.save(program, "model.pt2")',
      ]);
    }
  });

  it('state of which two buffers are views', () => {
    const bytes = changed('shared_state', {});
    expect(refusal(bytes)).toContain('"left" is changed in place and shares its memory with "right"');
  });

  it('another schema', () => {
    const next = json('mlp', model).replace(/"major": ?8/, '"major": 9');
    expect(refusal(changed('mlp', { [model]: next }))).toContain('schema 9');
  });

  it('a form of argument that is not known', () => {
    const odd = json('mlp', model).replace(
      '"as_tensor": {"name": "linear"}',
      '"as_hologram": {"name": "linear"}',
    );
    expect(refusal(changed('mlp', { [model]: odd }))).toMatch(/hologram|unknown/);
  });

  it('weights that were never saved', () => {
    expect(refusal(changed('mlp', { 'data/weights/weight_0': '' }))).toContain('weights-missing');
  });

  it('weights that leave their storage', () => {
    const wide = json('mlp', config).replaceAll(
      /"storage_offset": ?\{"as_int": ?0\}/g,
      '"storage_offset": {"as_int": 4000}',
    );
    expect(refusal(changed('mlp', { [config]: wide }))).toContain('reaches to element');
  });

  it('weights of other sizes than the program has', () => {
    const other = json('mlp', config).replace('{"as_int": 8}', '{"as_int": 4}');
    expect(refusal(changed('mlp', { [config]: other }))).toContain(
      'bad-weight: the tensor "first.weight" is f32[4,6]',
    );
  });

  it('weights that show a few bytes millions of times', () => {
    const huge = json('mlp', config)
      .replace('"sizes": [{"as_int": 8}', '"sizes": [{"as_int": 1073741824}')
      .replace('"strides": [{"as_int": 6}', '"strides": [{"as_int": 0}');
    expect(refusal(changed('mlp', { [config]: huge }))).toContain('repeats its storage');
  });

  it('weights with sizes below zero, or past what numbers hold', () => {
    for (const size of ['-8', '9223372036854775807', '123456789012345678901234567890', '1e300', '1.5'])
      expect(
        refusal(
          changed('mlp', { [config]: json('mlp', config).replace('{"as_int": 8}', `{"as_int": ${size}}`) }),
        ),
      ).toMatch(/^bad-(weight|program): /);
  });

  it('inputs with sizes past what numbers hold', () => {
    const endless = json('mlp', model).replaceAll('"as_int": 6}', '"as_int": 9223372036854775807}');
    expect(refusal(changed('mlp', { [model]: endless }))).toMatch(/^bad-(weight|shape|program): /);
  });

  it('expressions of sizes that explode or nest without end', () => {
    const sum = `Add(${Array.from({ length: 40 }, (_, i) => `Symbol('a${i}')`).join(', ')})`;
    for (const hostile of [
      `Pow(${sum}, Integer(16))`,
      'Add('.repeat(3000),
      '-'.repeat(19_000),
      `${'2**'.repeat(6000)}2`,
      `${'s0+'.repeat(6000)}1+`,
      `Mul(${Array.from({ length: 9 }, () => sum).join(', ')})`,
    ]) {
      const odd = json('dynamic', model).replaceAll(/"expr_str": "[^"]*"/g, `"expr_str": "${hostile}"`);
      const bytes = changed('dynamic', { [model]: odd });
      expect(cpuSeconds(() => refusal(bytes))).toBeLessThan(5);
      expect(refusal(bytes)).toMatch(/^(unknown-size-expression|bad-extent): /);
    }
  });

  it.each([
    ['"parameter"', '"hyperparameter"', 'an input has the form "hyperparameter"'],
    ['"as_int": 8}', '"as_octal": 8}', 'has the form "as_octal"'],
    ['{"as_tensor": {"name": "x"}}', '{"as_tensor": {"name": "x"}, "as_int": 1}', 'has 2 of the forms'],
    ['{"as_tensor": {"name": "x"}}', '{}', 'has 0 of the forms'],
  ])('%s where it says %s', (from, to, what) => {
    expect(refusal(changed('mlp', { [model]: json('mlp', model).replaceAll(from, to) }))).toContain(what);
  });

  it('objects that only Python can read', () => {
    const spec = json('mlp', model).replace(
      '"parameter": {"arg": {"name": "p_first_weight"}, "parameter_name"',
      '"custom_obj": {"arg": {"name": "p_first_weight"}, "custom_obj_name"',
    );
    expect(refusal(changed('mlp', { [model]: spec }))).toContain('custom-object');
  });

  it('weights with strides past what numbers hold', () => {
    const wide = json('mlp', config).replace(
      /"strides": ?\[\{"as_int": ?\d+\}/,
      '"strides": [{"as_int": 9223372036854775807}',
    );
    expect(refusal(changed('mlp', { [config]: wide }))).toContain('bad-weight');
  });

  it('paths that lead out of the archive', () => {
    expect(refusal(zipOf([member('m/../../etc/passwd', 'x'), member('m/archive_format', 'pt2')]))).toContain(
      'leads out',
    );
    const out = json('mlp', config).replace('"weight_0"', '"../../../etc/passwd"');
    expect(refusal(changed('mlp', { [config]: out }))).toContain('weights-missing');
  });

  it('pickled tensors', () => {
    const pickled = json('mlp', config).replace(/"use_pickle": ?false/, '"use_pickle": true');
    expect(refusal(changed('mlp', { [config]: pickled }))).toContain('pickled-weight');
  });

  it('text that is no JSON, and JSON without end', () => {
    expect(refusal(changed('mlp', { [model]: '{"a": ' }))).toContain('bad-json');
    expect(refusal(changed('mlp', { [model]: '['.repeat(100_000) }))).toContain('levels deep');
  });
});

describe('damaged zip archives', () => {
  const plain = [member('m/archive_format', 'pt2'), member('m/data', new Uint8Array(100))];
  it.each([
    ['a compressed member', zipOf([{ ...plain[0]!, method: 8 }]), 'compressed'],
    ['a member that claims to be huge', zipOf([{ ...plain[0]!, claimed: 2 ** 31 }]), 'outside the archive'],
    ['more entries than there are', zipOf(plain, { count: 60_000 }), 'entry 2'],
    ['a name twice', zipOf([plain[0]!, plain[0]!]), 'two members'],
    ['the end cut off', zipOf(plain).subarray(0, 150), 'no central directory'],
  ])('%s', (_, bytes, what) => {
    expect(refusal(bytes)).toContain(what);
  });

  it('members that overlap', () => {
    const bytes = Buffer.from(zipOf([member('m/a', new Uint8Array(64)), member('m/b', new Uint8Array(64))]));
    const second = bytes.lastIndexOf(Buffer.from('PK\x01\x02', 'latin1'));
    bytes.writeUInt32LE(0, second + 42);
    expect(refusal(bytes)).toContain('overlap');
  });

  const zip64 = (
    edit: (bytes: Buffer, locator: number, record: number, entry: number) => void,
  ): Uint8Array => {
    const all = plain.map((m): Written => ({ ...m, zip64: true }));
    const bytes = Buffer.from(zipOf(all, { zip64: true }));
    const at = (signature: string): number => bytes.lastIndexOf(Buffer.from(signature, 'latin1'));
    edit(bytes, at('PK\x06\x07'), at('PK\x06\x06'), at('PK\x01\x02'));
    return bytes;
  };
  it.each([
    ['a locator that is missing', zip64((b, locator) => b.writeUInt32LE(0, locator)), 'locator is missing'],
    [
      'a locator that leads out of the file',
      zip64((b, locator) => b.writeBigUInt64LE(2n ** 40n, locator + 8)),
      'lies outside the file',
    ],
    [
      'a locator that leads beyond 2^53',
      zip64((b, locator) => b.writeBigUInt64LE(2n ** 63n, locator + 8)),
      'beyond what a file can have',
    ],
    [
      'an end record that is none',
      zip64((b, _, record) => b.writeUInt32LE(0, record)),
      'end record is missing',
    ],
    [
      'a million million members',
      zip64((b, _, record) => b.writeBigUInt64LE(10n ** 12n, record + 32)),
      'claims to have',
    ],
    [
      'a directory larger than the file',
      zip64((b, _, record) => b.writeBigUInt64LE(2n ** 27n, record + 40)),
      'lies outside the file',
    ],
    [
      'sizes that are cut off',
      zip64((b, _, __, entry) => b.writeUInt16LE(8, entry + 46 + 'm/data'.length + 2)),
      'are cut off',
    ],
    [
      'a member of 2^62 bytes',
      zip64((b, _, __, entry) => {
        b.writeBigUInt64LE(2n ** 62n, entry + 46 + 'm/data'.length + 4);
        b.writeBigUInt64LE(2n ** 62n, entry + 46 + 'm/data'.length + 12);
      }),
      'beyond what a file can have',
    ],
    [
      'a member at an offset before the file',
      zip64((b, _, __, entry) => b.writeBigUInt64LE(2n ** 50n, entry + 46 + 'm/data'.length + 20)),
      'lies outside the archive',
    ],
  ])('zip64 with %s', (_, bytes, what) => {
    expect(refusal(bytes)).toContain(what);
  });

  it('members whose headers reach into the next one', () => {
    const bytes = Buffer.from(changed('mlp', {}));
    // The local header of the first member claims a longer extra field than it has.
    bytes.writeUInt16LE(0xfff0, 28);
    expect(refusal(bytes)).toContain('reaches into what follows it');
  });

  it('200,000 members, none of them wanted', () => {
    const one = { name: 'm/archive_format', data: text('pt2') };
    const many = Array.from({ length: 200_000 }, (_, i): Written => member(`m/extra/${i}`, ''));
    const bytes = zipOf([one, member('m/archive_version', '0'), ...many], { zip64: true });
    expect(cpuSeconds(() => refusal(bytes))).toBeLessThan(5);
    expect(refusal(bytes)).toContain('holds no exported program');
  });

  it('100,000 values that nothing uses cost no time', () => {
    const program = JSON.parse(json('mlp', model));
    const { tensor_values: values } = program.graph_module.graph;
    const [first] = Object.values(values);
    for (let i = 0; i < 100_000; i++) values[`unused_${i}`] = first;
    const bytes = changed('mlp', { [model]: JSON.stringify(program) });
    expect(cpuSeconds(() => imported(bytes))).toBeLessThan(2);
    expect(imported(bytes).outputNames).toEqual(['output']);
  });
});
