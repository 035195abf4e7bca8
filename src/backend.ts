import { fileURLToPath } from 'node:url';
import type { Kernel } from '../codegen/kernel.js';
import type { CpuTarget } from '../codegen/target.js';
import { type Compiler, findCompiler, probeTarget } from '../codegen/toolchain.js';
import { cpuKernels } from '../kernels/cpu/index.js';
import { bounds, type Dim, numel } from './ir/dim.js';
import { input, is, type Node, type Op, topological } from './ir/graph.js';
import { Literal } from './ir/literal.js';
import { packageRoot } from './package-root.js';

/** A compiler for one target: which nodes it takes, and with what. */
export interface Backend {
  readonly compiler: Compiler;
  readonly target: CpuTarget;
  /** Folder of the headers that kernels include. */
  readonly headers: string;
  kernelOf(n: Node): Kernel;
  /** Why a node cannot be compiled, as a sentence, or undefined when it can. */
  refuse(n: Node): string | undefined;
  /** Estimated floating-point operations. */
  work(n: Node): Dim;
}

export const headersDirectory = fileURLToPath(new URL('kernels/include', packageRoot));

/** The CPU target with the system's compiler. Throws `no-compiler` or `bad-arch`. */
export async function cpuBackend(arch: string): Promise<Backend> {
  const compiler = await findCompiler();
  const target = await probeTarget(compiler, arch);
  const kernels = new Map<Op, Kernel>(cpuKernels.map((k) => [k.op, k]));
  const find = (n: Node): Kernel | undefined => kernels.get(n.op);
  const refuse = (n: Node): string | undefined => {
    if ([...n.inputs, ...n.outputs].some((v) => v.type.kind === 'opaque')) return undefined;
    const k = find(n);
    if (!k) return missing(n);
    const own = k.refuse?.(n, target);
    if (own !== undefined) return own;
    for (const body of k.branches?.(n) ?? [])
      for (const inner of topological(body)) {
        if (is(inner, input) || inner.attrs['value'] instanceof Literal) continue;
        const handles = [...inner.inputs, ...inner.outputs].find((v) => v.type.kind === 'opaque');
        const why = handles ? 'it handles values that are no tensors' : refuse(inner);
        if (why !== undefined) return `in a branch, "${inner.origin.name}": ${why}`;
      }
    return undefined;
  };
  const work = (n: Node): Dim => {
    const k = find(n);
    if (k?.work) return k.work(n);
    const out = n.outputs[0];
    const elements = out?.type.kind === 'tensor' ? numel(out.type.shape) : 0;
    // A body's symbols are its own, so only what is known for sure counts.
    const bodies = k?.branches?.(n) ?? [];
    return (
      Math.max(0, ...bodies.map((b) => topological(b).reduce((t, m) => t + bounds(work(m))[0], 0))) ||
      elements
    );
  };
  return {
    compiler,
    target,
    headers: headersDirectory,
    kernelOf: (n) => {
      const k = find(n);
      if (!k) throw new TypeError(`${n.op.name} has no kernel`);
      return k;
    },
    refuse,
    work,
  };
}

function missing(n: Node): string {
  const reason = n.attrs['reason'];
  return typeof reason === 'string' ? reason : `${n.origin.opType ?? n.op.name} has no kernel for the CPU`;
}
