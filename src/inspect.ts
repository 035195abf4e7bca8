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

export interface OperatorCount {
  readonly domain: string;
  readonly operator: string;
  /** The version the model imports; undefined for the model's own functions. */
  readonly opset: number | undefined;
  readonly count: number;
}

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
      readonly operators: readonly OperatorCount[];
      readonly inputs: readonly Port[];
      readonly outputs: readonly Port[];
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
  const { graph, about, source } = await load(target, options, (w) => warnings.push(w));
  const { nodes, ...rest } = about;
  const found = {
    kind: 'model' as const,
    about: rest,
    bytes: source.bytes,
    sha256: source.sha256,
    operators: operatorsOf(about),
    inputs: graph.inputs.map((v) => ({ name: inputName(v), type: showType(v.type) })),
    outputs: graph.outputs.map((v, i) => ({ name: graph.outputNames[i]!, type: showType(v.type) })),
    warnings,
  };
  try {
    const conversion = await convert(target, { ...options, output: undefined, dryRun: true });
    return { ...found, plan: reportOf(conversion, options), unplanned: undefined };
  } catch (e) {
    if (!(e instanceof CompileError) || e.code !== 'no-compiler') throw e;
    return { ...found, plan: undefined, unplanned: e.message };
  }
}

function operatorsOf({ nodes, opsets }: ModelAbout): readonly OperatorCount[] {
  const counts = new Map<string, OperatorCount>();
  for (const { operator, domain, isCall } of nodes) {
    const key = `${domain}::${operator}`;
    const opset = isCall ? undefined : opsets.find((o) => o.domain === domain)?.version;
    counts.set(key, { domain, operator, opset, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  return [...counts.values()].sort((a, b) => b.count - a.count || (a.operator < b.operator ? -1 : 1));
}

/** The report an engine directory holds, if nobody removed it. */
async function readReport(directory: string): Promise<Report | undefined> {
  try {
    return JSON.parse(await readFile(join(directory, 'report.json'), 'utf8')) as Report;
  } catch {
    return undefined;
  }
}
