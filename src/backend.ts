import { fileURLToPath } from 'node:url';
import type { Kernel } from '../codegen/kernel.js';
import type { CpuTarget } from '../codegen/target.js';
import { type Compiler, findCompiler, probeTarget } from '../codegen/toolchain.js';
import { cpuKernels } from '../kernels/cpu/index.js';
import { type Dim, numel } from './ir/dim.js';
import type { Node, Op } from './ir/graph.js';
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
  return {
    compiler,
    target,
    headers: headersDirectory,
    kernelOf: (n) => {
      const k = find(n);
      if (!k) throw new TypeError(`${n.op.name} has no kernel`);
      return k;
    },
    refuse: (n) => {
      const opaque = [...n.inputs, ...n.outputs].find((v) => v.type.kind === 'opaque');
      if (opaque) return undefined;
      const k = find(n);
      if (!k) return missing(n);
      return k.refuse?.(n, target);
    },
    work: (n) => {
      const out = n.outputs[0];
      const elements = out?.type.kind === 'tensor' ? numel(out.type.shape) : 0;
      return find(n)?.work?.(n) ?? elements;
    },
  };
}

function missing(n: Node): string {
  const reason = n.attrs['reason'];
  return typeof reason === 'string' ? reason : `${n.origin.opType ?? n.op.name} has no kernel for the CPU`;
}
