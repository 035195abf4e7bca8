import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository } from '../cache.js';
import { type ExportedModel, networks } from './models-cache.js';
import type { ModelReply } from './models-worker.js';

export interface ModelRow {
  readonly model: ExportedModel;
  readonly reply: ModelReply;
}

/** Where a worker writes a network as ONNX of an operator set. */
export const onnxFile = (folder: string, opset: number): string => join(folder, `opset${opset}.onnx`);

/** Whether it was converted and gave what eager PyTorch gives. */
export const isRight = ({ model, reply }: ModelRow): boolean =>
  model.error === undefined && reply.failure === undefined && reply.difference !== undefined;

export const isOf =
  ({ model }: ModelRow) =>
  (other: ModelRow): boolean =>
    other.model.name === model.name && other.model.kind === model.kind;

export const isFullyCompiled = ({ reply: { nodes } }: ModelRow): boolean =>
  nodes !== undefined && nodes.compiled === nodes.all;

export const hasOnnx = ({ model, reply }: ModelRow): boolean =>
  model.error === undefined && reply.exported !== undefined && reply.exportFailure === undefined;

const folder = join(repository, 'fixtures', 'tables');
const tableFile = join(folder, 'pytorch.json');

/** The rows of the table as it is. */
export async function readModelRows(): Promise<readonly ModelRow[]> {
  const text = await readFile(tableFile, 'utf8').catch(() => '{"programs":[]}');
  const { programs }: { readonly programs: readonly ModelRow[] } = JSON.parse(text);
  return programs;
}

export async function writeModelTable(torch: string, given: readonly ModelRow[]): Promise<void> {
  const rows = inOrder(given);
  const right = rows.filter(isRight);
  const totals = {
    programs: rows.length,
    right: right.length,
    compiled: right.filter(isFullyCompiled).length,
    onnx: rows.filter(hasOnnx).length,
  };
  const lines = rows.map(({ model, reply }) => `  ${JSON.stringify({ model, reply })}`);
  const head = JSON.stringify({ torch, totals }, undefined, 1).replace(/\n}$/, '');
  await writeFile(tableFile, `${head},\n "programs": [\n${lines.join(',\n')}\n ]\n}\n`);
  const text = [
    '# PyTorch networks',
    '',
    `Networks of torchvision and transformers with random weights, exported by torch ${torch} at a fixed batch and with`,
    'batch and length as symbols, converted, run at every size listed and compared with eager PyTorch: within its own bounds for',
    'float32 plus four times the rounding error that eager PyTorch itself shows against float64. The ONNX file that',
    '`ait-convert export` writes, in opsets 17, 21 and 23, passes `onnx.checker` and gives the same on onnxruntime. Written by',
    '`npx tsx scripts/pt2/models.ts`. Sizes are those of the published networks, but for vocabularies of 500 words and fewer',
    'layers of the same kind in BERT, GPT-2 (6), T5, CLIP (4); Whisper’s encoder is that of whisper-tiny, SSDLite has five classes.',
    '',
    `${totals.programs} programs: ${totals.right} right, ${totals.compiled} compiled fully, ${totals.onnx} with a valid ONNX file.`,
    '',
    '| network | kind | parameters | inputs | nodes compiled | largest difference | allowed | result | ONNX |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows.map(tableRow),
    '',
  ];
  await writeFile(join(folder, 'pytorch.md'), text.join('\n'));
}

/** In the order of the list, the fixed program first. */
const inOrder = (rows: readonly ModelRow[]): readonly ModelRow[] =>
  networks.flatMap((name) =>
    ['fixed', 'dynamic'].flatMap((kind) => rows.filter(({ model: m }) => m.name === name && m.kind === kind)),
  );

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

function tableRow(row: ModelRow): string {
  const { model, reply } = row;
  if (model.error !== undefined)
    return `| ${model.name} | ${model.kind} | | | | | | not exported by PyTorch: ${cell(model.error)} | |`;
  const { nodes, difference, failure, left, exportFailure } = reply;
  const result = failure === undefined ? ['right', left] : [`failed: ${failure}`, left];
  return `| ${[
    model.name,
    model.kind,
    `${(model.parameters / 1e6).toFixed(1)} M`,
    model.inputs.join('; '),
    nodes ? `${nodes.compiled} of ${nodes.all}` : '',
    difference?.toExponential(1) ?? '',
    model.atol.toExponential(1),
    cell(result.filter(Boolean).join('; ')),
    hasOnnx(row) ? 'right' : cell(`failed: ${exportFailure ?? 'not written'}`),
  ].join(' | ')} |`;
}
