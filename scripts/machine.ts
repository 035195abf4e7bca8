import { createRequire } from 'node:module';
import { arch, availableParallelism, cpus, totalmem } from 'node:os';

/** What figures were measured on, and against. */
export function machine(): string {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const cores = `${availableParallelism()} logical cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  return `${model} (${arch()}), ${cores}; Node ${process.versions.node}, onnxruntime-node ${version}`;
}
