import { cp, mkdir } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { execa } from 'execa';
import { context, contextFilter, type Instruction } from './dockerfile.js';

/** What an image would hold, in a folder instead of one. */
export interface Stage {
  /** The folder that stands for `/`. */
  readonly root: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  /** Names that `ln -s` gives to files. */
  readonly links: ReadonlyMap<string, string>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
}

const inside = ({ root }: Stage, path: string): string => join(root, path);

/**
 * Does what a Dockerfile says, each stage in a folder below `place`, and returns the last one. What begins with
 * installing packages of the system is left out: the system at hand has to be fit already.
 */
export async function rehearse(
  instructions: readonly Instruction[],
  place: string,
  say: (line: string) => void,
): Promise<Stage> {
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  let name = '';
  for (const instruction of instructions) {
    const { name: what, rest } = instruction;
    say(`${what} ${rest}`);
    if (what === 'FROM') {
      name = / AS (\w+)$/i.exec(rest)?.[1] ?? String(stages.size);
      stage = await emptyStage(join(place, name));
    } else stage = await step(stage!, instruction, stages, say);
    stages.set(name, stage);
  }
  return stage!;
}

async function emptyStage(root: string): Promise<Stage> {
  await mkdir(root, { recursive: true });
  return { root, environment: {}, directory: '/', links: new Map(), entrypoint: [], command: [] };
}

async function step(
  stage: Stage,
  { name, rest }: Instruction,
  stages: ReadonlyMap<string, Stage>,
  say: (line: string) => void,
): Promise<Stage> {
  switch (name) {
    case 'WORKDIR': {
      const directory = resolve(stage.directory, rest);
      await mkdir(inside(stage, directory), { recursive: true });
      return { ...stage, directory };
    }
    case 'ENV': {
      const given = rest.split(/\s+/).map((word) => {
        const [, key, value] = /^(\w+)=(.*)$/.exec(word)!;
        return [key!, value!.startsWith('/') ? inside(stage, value!) : value!];
      });
      return { ...stage, environment: { ...stage.environment, ...Object.fromEntries(given) } };
    }
    case 'COPY':
      await copy(stage, rest.split(/\s+/), stages);
      return stage;
    case 'RUN': {
      const links = [...rest.matchAll(/ln -s (\S+) (\S+)/g)].map(([, to, from]) => [from!, to!] as const);
      const placed = rest.replace(/(?<=\s)\/(?=\w)/g, `${stage.root}/`);
      if (/^apt-get /.test(rest)) say('  (left out: it changes the system)');
      else await execa('sh', ['-ec', placed], { cwd: inside(stage, stage.directory), stdout: 'ignore' });
      return { ...stage, links: new Map([...stage.links, ...links]) };
    }
    case 'ENTRYPOINT':
      return { ...stage, entrypoint: JSON.parse(rest) };
    case 'CMD':
      return { ...stage, command: JSON.parse(rest) };
    case 'USER':
      return stage;
    default:
      throw new Error(`the rehearsal does not know ${name}`);
  }
}

async function copy(
  stage: Stage,
  words: readonly string[],
  stages: ReadonlyMap<string, Stage>,
): Promise<void> {
  const from = /^--from=(\w+)$/.exec(words[0]!)?.[1];
  const paths = words.slice(from === undefined ? 0 : 1);
  const target = paths.at(-1)!;
  const wanted = await contextFilter();
  for (const path of paths.slice(0, -1)) {
    const source = from === undefined ? join(context, path) : inside(stages.get(from)!, path);
    const place = join(
      inside(stage, resolve(stage.directory, target)),
      target.endsWith('/') ? basename(path) : '',
    );
    const filter = (file: string): boolean => from !== undefined || wanted(relative(context, file));
    await cp(source, place, { recursive: true, filter, verbatimSymlinks: true });
  }
}
