import { importOnnx } from '../importers/onnx/import.js';
import { lowerBranches } from '../lowering/branches.js';
import { pipeline } from '../lowering/pipeline.js';
import { evaluateOnReference } from '../src/evaluate.js';
import { topological } from '../src/ir/graph.js';
import { runPasses } from '../src/ir/pass.js';
import { readModelFile } from '../src/onnx/model-file.js';
import { operators } from '../src/ops/index.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { noiseOf } from '../src/verify.js';
import { differences, resultsOf } from './meaning.js';
import { type ZooModel, zoo } from './zoo-fetch.js';
import { zooFeeds } from './zoo-inputs.js';

/*
 * Checks every pass on every model of the zoo: the graph after each pass, run on onnxruntime, must yield
 * what the imported graph does. Names given as arguments select models.
 */

const wanted = process.argv.slice(2);
let failed = 0;

async function check(model: ZooModel, reference: OnnxruntimeProcess): Promise<void> {
  const file = await readModelFile(model.file);
  const imported = importOnnx(file.model, { operators, baseDir: file.baseDir, warn: () => {} });
  const feeds = zooFeeds(model.inputs);
  const expected = await resultsOf(imported, feeds, reference);
  const steps: { readonly name: string; readonly graph: typeof imported; readonly ms: number }[] = [];
  const passes = pipeline({ fold: (g) => evaluateOnReference(g, reference), compiles: () => true });
  const branches = await lowerBranches(imported, (body) => runPasses(body, passes, () => {}));
  if (branches !== imported) steps.push({ name: 'branches', graph: branches, ms: 0 });
  await runPasses(branches, passes, () => {}, {
    pass: (name, before, after, ms) => {
      if (before !== after) steps.push({ name, graph: after, ms });
    },
  });
  const quantised = topological(imported).some((n) => /quantize/i.test(`${n.op.name} ${n.attrs.opType}`));
  const scale = { accumulation: 1024, depth: 8, storage: 'f32', quantised };
  const noise = await noiseOf(model.file, feeds, await reference.run(model.file, feeds), reference);
  const nodes = (g: typeof imported): number => topological(g).length;
  console.log(`${model.name}: ${nodes(imported)} nodes`);
  for (const { name, graph, ms } of steps) {
    const found = await resultsOf(graph, feeds, reference)
      .then((actual) => differences(actual, expected, scale, noise))
      .catch((e: unknown) => [e instanceof Error ? e.message : String(e)]);
    if (found.length > 0) failed++;
    const verdict = found.length === 0 ? 'same' : found.join('; ');
    console.log(`  ${name}: ${nodes(graph)} nodes, ${ms.toFixed(0)} ms, ${verdict}`);
  }
}

for (const model of await zoo()) {
  if (wanted.length > 0 && !wanted.some((w) => model.name.includes(w))) continue;
  const reference = new OnnxruntimeProcess();
  try {
    await check(model, reference);
  } catch (e) {
    failed++;
    console.log(`${model.name}: ${e instanceof Error ? e.message : e}`);
  } finally {
    reference.dispose();
  }
}
process.exitCode = failed > 0 ? 1 : 0;
