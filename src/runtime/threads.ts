import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { envCount } from '../support/env.js';

/** What an engine and its fallback may use when nobody says: `AIT_THREADS`, else the physical cores at hand. */
export function defaultThreads(): number {
  return envCount('AIT_THREADS') ?? Math.max(1, Math.min(physicalCores(), availableParallelism(), quota()));
}

/** Two hardware threads of one core share its arithmetic units, so they count once. */
function physicalCores(): number {
  const siblings = cpus().map((_, i) =>
    read(`/sys/devices/system/cpu/cpu${i}/topology/thread_siblings_list`),
  );
  return siblings.includes(undefined) ? Number.POSITIVE_INFINITY : new Set(siblings).size;
}

/** Whole processors of the control group that this process is in. */
function quota(): number {
  const [allowed, period] = (read('/sys/fs/cgroup/cpu.max') ?? '').split(' ').map(Number);
  const processors = Math.floor((allowed ?? Number.NaN) / (period ?? Number.NaN));
  return Number.isNaN(processors) ? Number.POSITIVE_INFINITY : Math.max(1, processors);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
