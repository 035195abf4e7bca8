import type { Literal } from '../../src/ir/literal.js';
import type { Blob } from '../../src/support/blob.js';
import { CompileError } from '../../src/support/diagnostic.js';
import type { Meta } from '../fx/fx-meta.js';
import { isFxModule, programOfFx } from '../fx/fx-module.js';
import { type Fields, fieldsOf, metaOf, scalarTypeNumberOf, textOf } from '../fx/schema.js';
import { type Json, parseJson } from './json.js';
import { refuse } from './refusal.js';
import { readSafetensors } from './safetensors.js';
import { type Samples, sampleOutputs, samplesIn } from './samples.js';
import { literalIn } from './storage.js';
import { tensorsIn } from './unpickle.js';
import { isZip, type Member, readZip } from './zip.js';

/** An exported program with its weights, whatever file they came in. */
export interface Export {
  readonly container: string;
  readonly program: Json;
  /** The tensor of a parameter, a buffer or a constant. */
  weight(kind: 'weights' | 'constants', name: string): Literal;
  /** What tells the memory of a tensor from that of others, where the file has it. */
  storage?(kind: 'weights' | 'constants', name: string): string | undefined;
  /** What the program was exported with, and what PyTorch computed then, where the file has it. */
  readonly samples?: Samples;
}

const largestJson = 2 ** 29;
const textIn = (blob: Blob, what: string): string => {
  if (blob.byteLength > largestJson)
    throw new CompileError('bad-program', `${what} has ${blob.byteLength} bytes`);
  return new TextDecoder().decode(blob.read());
};

/** Whether a file is one for this reader, by its first bytes. */
export function isExport(file: Blob): boolean {
  if (isZip(file)) return true;
  const head = file.read(0, Math.min(64, file.byteLength));
  if (new TextDecoder().decode(head.subarray(4, 8)) === 'ET12') return true;
  // A pickle of protocol 2 or later; in an ONNX file this byte would begin a field that does not exist.
  if (head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5) return true;
  return /^\uFEFF?\s*\{/.test(new TextDecoder().decode(head));
}

/**
 * Opens a file. `model` names one of several programs in an archive; `beside` opens the safetensors file of the same
 * name, for a JSON file.
 */
export function openExport(
  file: Blob,
  model: string | undefined,
  beside: () => Blob | undefined = () => undefined,
): Export {
  if (isZip(file)) return inArchive(readZip(file), model);
  const head = file.read(0, Math.min(64, file.byteLength));
  if (new TextDecoder().decode(head.subarray(4, 8)) === 'ET12')
    throw refuse('this is an ExecuTorch program, already lowered for another runtime');
  if (head[0] === 0x80) throw refuse('this is a Python pickle, which only Python can read');
  return inJson(textIn(file, 'the program'), beside());
}

function inJson(text: string, weights: Blob | undefined): Export {
  const tensors = weights && readSafetensors(weights);
  const read = parseJson(text, 'the program');
  const container = isFxModule(read) ? 'torch.fx JSON' : 'ExportedProgram JSON';
  const types = new Map([...(tensors ?? [])].map(([name, l]) => [name, metaOfLiteral(l)]));
  return {
    container,
    program: isFxModule(read) ? programOfFx(parseJson(text, 'the graph', true), types) : read,
    weight: (_, name) => {
      const literal = tensors?.get(name);
      if (literal) return literal;
      throw new CompileError(
        'weights-missing',
        tensors
          ? `the safetensors file does not hold the tensor "${name}"`
          : `the program reads the tensor "${name}", and a JSON file alone holds no tensors`,
        'put a safetensors file of the same name beside it, or convert the .pt2 archive that torch.export.save writes',
      );
    },
  };
}

const metaOfLiteral = ({ dtype, shape }: Literal): Meta => ({ dtype: scalarTypeNumberOf(dtype), shape });

function inArchive(members: ReadonlyMap<string, Member>, model: string | undefined): Export {
  const format = [...members.values()].find(
    (m) =>
      /^[^/]+\/archive_format$/.test(m.name) && m.blob.byteLength === 3 && textIn(m.blob, m.name) === 'pt2',
  );
  if (format) return inPt2(members, format.name.slice(0, format.name.indexOf('/') + 1), model);
  const old = members.get('serialized_exported_program.json');
  if (old)
    return {
      container: 'export of PyTorch 2.7 or older',
      program: parseJson(textIn(old.blob, old.name), old.name),
      samples: samplesIn(members.get('serialized_example_inputs.pt'), undefined),
      weight: pickled({
        weights: members.get('serialized_state_dict.pt'),
        constants: members.get('serialized_constants.pt'),
      }),
    };
  const names = [...members.keys()];
  if (names.some((n) => /^[^/]+\/code\//.test(n) || n.endsWith('/constants.pkl')))
    throw refuse('this is a TorchScript archive, which holds Python code and no exported graph');
  if (names.some((n) => n.endsWith('data.pkl')))
    throw refuse('this file was written by torch.save: a Python pickle, which only Python can read');
  throw refuse('this is a zip archive, but none that PyTorch wrote');
}

function inPt2(members: ReadonlyMap<string, Member>, root: string, asked: string | undefined): Export {
  const read = (name: string): string | undefined => {
    const member = members.get(root + name);
    return member && textIn(member.blob, name);
  };
  const version = read('archive_version')?.trim();
  if (version !== '0')
    throw new CompileError(
      'unknown-archive',
      `archives of version ${version ?? '(none)'} are not known`,
      'update ait-convert',
    );
  const names = [...members.keys()].flatMap((n) => {
    const found = n.startsWith(root) && /^models\/([^/]+)\.json$/.exec(n.slice(root.length));
    return found ? [found[1]!] : [];
  });
  if (names.length === 0) {
    const compiled = [...members.keys()].some((n) => n.startsWith(`${root}data/aotinductor/`));
    throw refuse(
      compiled
        ? 'this archive holds a program that AOTInductor compiled, and no graph'
        : 'this archive holds no exported program',
    );
  }
  const name = chosen(names, asked);
  const order = read('byteorder')?.trim() ?? 'little';
  if (order !== 'little' && order !== 'big')
    throw new CompileError('bad-program', `"${order}" is no order of bytes`);
  const program = parseJson(read(`models/${name}.json`)!, `models/${name}.json`);
  const blobs = {
    weights: members.get(`${root}data/weights/${name}.pt`),
    constants: members.get(`${root}data/constants/${name}.pt`),
  };
  const samples = samplesIn(
    members.get(`${root}data/sample_inputs/${name}.pt`),
    members.get(`${root}extra/${sampleOutputs}`),
  );
  if (blobs.weights || blobs.constants)
    return { container: 'PT2 archive of PyTorch 2.8', program, samples, weight: pickled(blobs) };
  const literals = new Map<string, Literal>();
  const configs = new Map<string, Fields>();
  const config = (kind: string): Fields => {
    let found = configs.get(kind);
    if (!found) {
      const place = `data/${kind}/${name}_${kind}_config.json`;
      const text = read(place);
      if (text === undefined) throw new CompileError('weights-missing', `the archive has no ${place}`);
      found = fieldsOf(fieldsOf(parseJson(text, place), place).config, place);
      configs.set(kind, found);
    }
    return found;
  };
  return {
    container: 'PT2 archive',
    program,
    samples,
    storage: (kind, fqn) => {
      const path = fieldsOf(config(kind)[fqn] ?? {}, fqn).path_name;
      return typeof path === 'string' ? `${kind}/${path}` : undefined;
    },
    weight(kind, fqn) {
      const where = `the tensor "${fqn}"`;
      const entry = config(kind)[fqn];
      if (entry === undefined)
        throw new CompileError('weights-missing', `the archive does not hold ${where}`);
      const fields = fieldsOf(entry, where);
      if (fields.use_pickle === true)
        throw new CompileError(
          'pickled-weight',
          `${where} is of a class of its own, which only Python can read`,
          'replace it by a plain tensor before the export (for torchao: export the unquantised module)',
        );
      const file = textOf(fields.path_name, where);
      const meta = metaOf(fields.tensor_meta, where);
      const key = JSON.stringify([kind, file, meta]);
      let literal = literals.get(key);
      if (!literal) {
        const member = file.includes('/') ? undefined : members.get(`${root}data/${kind}/${file}`);
        if (!member)
          throw new CompileError(
            'weights-missing',
            `the archive has no member data/${kind}/${file} for ${where}`,
          );
        literal = literalIn(member.blob, meta, order === 'big', where);
        literals.set(key, literal);
      }
      return literal;
    },
  };
}

/** Weights of the time before archives stored plain bytes. */
function pickled(blobs: Readonly<Record<'weights' | 'constants', Member | undefined>>): Export['weight'] {
  const read = new Map<string, ReadonlyMap<string, Literal>>();
  return (kind, fqn) => {
    let tensors = read.get(kind);
    if (!tensors) {
      const member = blobs[kind];
      tensors = member && member.blob.byteLength > 0 ? tensorsIn(member.blob, member.name) : new Map();
      read.set(kind, tensors);
    }
    const literal = tensors.get(fqn);
    if (literal) return literal;
    throw new CompileError('weights-missing', `the archive does not hold the tensor "${fqn}"`);
  };
}

function chosen(names: readonly string[], asked: string | undefined): string {
  if (asked !== undefined) {
    if (names.includes(asked)) return asked;
    throw new CompileError(
      'unknown-model',
      `the archive has no program "${asked}"`,
      `it has ${names.join(', ')}`,
    );
  }
  if (names.length === 1) return names[0]!;
  if (names.includes('model')) return 'model';
  throw new CompileError(
    'several-models',
    `the archive holds ${names.length} programs: ${names.join(', ')}`,
    'choose one with --program',
  );
}
