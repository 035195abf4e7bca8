import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { CompileError } from '../../src/support/diagnostic.js';
import { sha256Parts } from '../../src/support/hash.js';
import { cacheRoot, installed, repository, say } from '../cache.js';
import { torchEnv } from '../torch-env.js';

/** A network as PyTorch exported it, or why it did not. */
export interface ExportedModel {
  readonly name: string;
  readonly kind: 'fixed' | 'dynamic';
  readonly error?: string;
  readonly dataSets: number;
  readonly rtol: number;
  readonly atol: number;
  /** The inputs of each data set. */
  readonly inputs: readonly string[];
  readonly parameters: number;
}

export interface ExportedNetwork {
  /** Holds a folder for each kind. */
  readonly directory: string;
  readonly torch: string;
  readonly models: readonly ExportedModel[];
}

/** The networks of models.py, those that take long last. */
export const networks: readonly string[] = [
  'resnet50',
  'mobilenet_v3_large',
  'efficientnet_b0',
  'convnext_tiny',
  'swin_t',
  'vit_b_16',
  'ssdlite320',
  'ssdlite320_head',
  'bert',
  'distilbert',
  'gpt2',
  't5_encoder',
  'clip',
  'whisper_encoder',
];

const folder = join(repository, 'scripts', 'pt2');
const exporter = join(folder, 'models.py');

/** A network of models.py, exported on the first call. */
export async function exportedNetwork(name: string): Promise<ExportedNetwork> {
  const sources = [exporter, join(folder, 'data.py'), join(repository, 'scripts', 'requirements-torch.txt')];
  const stamp = sha256Parts(await Promise.all(sources.map((f) => readFile(f))));
  await mkdir(join(cacheRoot, 'pt2-models'), { recursive: true });
  const root = await installed(join('pt2-models', name), stamp, async (directory) => {
    const python = await torchEnv();
    say(`Exporting ${name} with PyTorch into .cache/pt2-models …`);
    const made = await execa(python, [exporter, directory, name], { stdout: 'ignore', reject: false });
    if (made.exitCode === 0) return;
    const reason = made.stderr?.trim().split('\n').at(-1) ?? made.shortMessage;
    throw new CompileError('not-exported', `PyTorch did not export ${name}: ${reason}`);
  });
  const listing = JSON.parse(await readFile(join(root, 'models.json'), 'utf8'));
  return { ...listing, directory: join(root, name) };
}
