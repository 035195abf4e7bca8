import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Report } from './accuracy/report.js';
import type { Manifest } from './artifact/manifest.js';
import { readManifest } from './artifact/read-manifest.js';
import { convert } from './compile.js';
import { inputName } from './ir/graph.js';
import { showType } from './ir/type.js';
import { load, type ModelAbout } from './load.js';
import type { ConvertOptions } from './options.js';
import { reportOf } from './report-of.js';
import { CompileError } from './support/diagnostic.js';

export interface Port {
  readonly name: string;
  readonly type: string;
}

export type Inspection =
  | {
      readonly kind: 'model';
      readonly about: Omit<ModelAbout, 'nodes'>;
      readonly bytes: number;
      readonly sha256: string;
      readonly inputs: readonly Port[];
      readonly outputs: readonly Port[];
      /** What the sizes of the inputs must fulfil together: `x.shape[0] % 4 == 0`. */
      readonly guards: readonly string[];
      /** What a conversion would do; undefined, with the reason, when that cannot be told on this machine. */
      readonly plan: Report | undefined;
      readonly unplanned: string | undefined;
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'engine'; readonly manifest: Manifest; readonly report: Report | undefined };

/** What a model holds and what would become of it, or what an engine directory is. Writes nothing. */
export async function inspect(target: string, options: ConvertOptions = {}): Promise<Inspection> {
  if (statSync(target, { throwIfNoEntry: false })?.isDirectory() === true) {
    const manifest = await readManifest(target);
    return { kind: 'engine', manifest, report: await readReport(target) };
  }
  const warnings: string[] = [];
  const { graph, about, source, guards = [] } = await load(target, options, (w) => warnings.push(w));
  const { nodes, ...rest } = about;
  const found = {
    kind: 'model' as const,
    about: rest,
    bytes: source.bytes,
    sha256: source.sha256,
    inputs: graph.inputs.map((v) => ({ name: inputName(v), type: showType(v.type) })),
    outputs: graph.outputs.map((v, i) => ({ name: graph.outputNames[i]!, type: showType(v.type) })),
    guards: guards.map((g) => g.text),
    warnings,
  };
  try {
    const conversion = await convert(target, { ...options, output: undefined, dryRun: true });
    return { ...found, plan: reportOf(conversion, options), unplanned: undefined };
  } catch (e) {
    if (!(e instanceof CompileError) || !unplannable.has(e.code)) throw e;
    return { ...found, plan: undefined, unplanned: e.message };
  }
}

/** Compilers that are not there: what a model holds can be told without them. */
const unplannable = new Set(['no-compiler', 'no-nvrtc', 'no-hipcc']);

/** The report an engine directory holds, if nobody removed it. */
async function readReport(directory: string): Promise<Report | undefined> {
  try {
    return JSON.parse(await readFile(join(directory, 'report.json'), 'utf8')) as Report;
  } catch {
    return undefined;
  }
}
