import { exportOnnx } from '../importers/onnx/export.js';
import { MANIFEST_FILE } from './artifact/read-manifest.js';
import type { Backend } from './backend.js';
import { pause, refuseAborted, withReference } from './interruption.js';
import { type Graph, inputName } from './ir/graph.js';
import { type LoadedModel, load } from './load.js';
import { lower } from './lower.js';
import { encodeModel } from './onnx/encode.js';
import type { ConvertOptions } from './options.js';
import { produce } from './produce.js';
import { produceVerified, type Verified } from './produce-verified.js';
import { reportOf, writeReport } from './report-of.js';
import { rememberSource } from './source-model.js';
import { checkTarget, writeDirectory } from './support/atomic-dir.js';
import { Progress } from './support/progress.js';
import { backendFor, vainOptions } from './target.js';

/** A conversion that is done. `graph` is the one after the passes; a dry run has no manifest. */
export interface Conversion extends LoadedModel, Verified {
  readonly backend: Backend;
  readonly warnings: readonly string[];
  readonly stages: Progress['times'];
}

/**
 * Converts a model file into the engine directory `options.output`, which appears complete or not at all.
 * Throws a CompileError that says what to do: its `code` is `cancelled` after `options.signal`.
 */
export async function convert(path: string, options: ConvertOptions = {}): Promise<Conversion> {
  const { signal, progress = new Progress({ quiet: true }) } = options;
  refuseAborted(signal);
  const output = options.dryRun ? undefined : options.output;
  const settings = { force: options.force ?? false, marker: MANIFEST_FILE };
  if (output !== undefined) await checkTarget(output, settings);

  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  // Compilers are asked while the model is read.
  const found = backendFor(options);
  found.catch(() => {});
  const loaded = await progress.stage('import', undefined, () => load(path, options, warn));
  await pause(signal);
  const backend = await found;
  vainOptions(options).forEach(warn);

  return withReference(signal, async (reference) => {
    const loweredFor = (b: Backend): Promise<Graph> =>
      progress.stage('lower', undefined, (stage) => {
        const before = (pass: string): Promise<void> => {
          stage.tick(pass, 0);
          return pause(signal);
        };
        return lower(loaded.graph, b, reference, before, warn);
      });
    const graph = await loweredFor(backend);
    for (const name of backend.unmet ?? [])
      warn(
        `--fp32-nodes names ${name}, which is no node of the model, or one that became part of another before precisions were chosen`,
      );
    await pause(signal);

    const known = { ...loaded, graph, backend, warnings };
    const conversion = { ...known, stages: progress.times };
    const job = { ...known, options, progress, modelTypes: portTypes(loaded.graph) };
    if (output === undefined)
      return { ...conversion, ...(await produce(job, undefined)), accuracy: undefined };

    const rewritten = () => encodeModel(exportOnnx(loaded.graph));
    const models = loaded.isOnnx ? [() => path, rewritten] : [rewritten];
    const lowered = async (other: ConvertOptions) => {
      const b = await backendFor(other);
      return { graph: await loweredFor(b), backend: b };
    };
    const done = await writeDirectory(output, settings, async (dir) => {
      const made = { ...conversion, ...(await produceVerified({ ...job, reference, models, lowered }, dir)) };
      await writeReport(dir, reportOf(made, options));
      await pause(signal);
      return made;
    });
    await rememberSource(loaded.source.sha256, path);
    return done;
  });
}

/** Element types of a graph's inputs and outputs, by name. */
function portTypes(g: Graph): ReadonlyMap<string, string> {
  const named = [
    ...g.inputs.map((v) => [inputName(v), v] as const),
    ...g.outputs.map((v, i) => [g.outputNames[i]!, v] as const),
  ];
  return new Map(named.flatMap(([name, { type }]) => (type.kind === 'tensor' ? [[name, type.dtype]] : [])));
}
