import { fileURLToPath } from 'node:url';
import type { DeviceCompiler } from '../codegen/gpu/device-compiler.js';
import type { KernelSet } from '../codegen/host-program.js';
import type { KernelTraits } from '../codegen/kernel.js';
import { hostOf, type Target } from '../codegen/target.js';
import type { Compiler } from '../codegen/toolchain.js';
import type { PipelineOptions } from '../lowering/pipeline.js';
import type { Precision } from '../lowering/precision.js';
import type { Costs } from '../lowering/segment-worth.js';
import type { Manifest } from './artifact/manifest.js';
import { bounds, type Dim, numel } from './ir/dim.js';
import { input, is, type Node, type Op, topological } from './ir/graph.js';
import { Literal } from './ir/literal.js';
import { packageRoot } from './package-root.js';

/** How a target departs from the model's f32, where it does. */
export interface Rounding extends Pick<PipelineOptions, 'narrow' | 'tf32'> {
  /** Names of nodes to keep in f32 that were not met so far. */
  readonly unmet?: ReadonlySet<string>;
}

/** A compiler for one target: which nodes it takes, and with what. */
export interface Backend extends KernelSet, Rounding {
  readonly compiler: Compiler;
  readonly target: Target;
  /** What compiles code for a device beside the host. */
  readonly device?: DeviceCompiler;
  /** What the partition is reckoned with; default the CPU's. */
  readonly costs?: Costs;
  /** The type of inputs and outputs of floats, where it is not the model's. */
  readonly ports?: Precision;
  /** Folder of the headers that kernels include. */
  readonly headers: string;
  /** Why a node cannot be compiled, as a sentence, or undefined when it can. */
  refuse(n: Node): string | undefined;
  /** Estimated floating-point operations. */
  work(n: Node): Dim;
}

export const headersDirectory = fileURLToPath(new URL('kernels/include', packageRoot));

/** What the manifest says of the target. */
export function targetOf({ target, compiler, narrow, tf32 }: Backend): Manifest['target'] {
  const { isa } = hostOf(target);
  const about = { isa, compiler: compiler.version };
  if (target.kind === 'cpu') return { kind: 'cpu', arch: target.arch, ...about };
  const kind = target.api === 'hip' ? 'rocm' : target.api;
  const precision = narrow === undefined ? 'fp32' : narrow.precision === 'f16' ? 'fp16' : 'bf16';
  return { kind, arch: target.archs.join(','), ...about, precision, ...(tf32 && { tf32: true }) };
}

/** What a set of kernels takes, and at which cost. */
export function judging<K extends KernelTraits>(
  kernels: ReadonlyMap<Op, K>,
  device: string,
  refuseOwn: (k: K, n: Node) => string | undefined,
): Pick<Backend, 'refuse' | 'work'> & { kernelOf(n: Node): K } {
  const find = (n: Node): K | undefined => kernels.get(n.op);
  const refuse = (n: Node): string | undefined => {
    if ([...n.inputs, ...n.outputs].some((v) => v.type.kind === 'opaque')) return undefined;
    const k = find(n);
    if (!k) return missing(n, device);
    const own = refuseOwn(k, n);
    if (own !== undefined) return own;
    for (const body of k.branches?.(n) ?? [])
      for (const inner of topological(body)) {
        if (is(inner, input) || inner.attrs.value instanceof Literal) continue;
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
  const kernelOf = (n: Node): K => {
    const k = find(n);
    if (!k) throw new TypeError(`${n.op.name} has no kernel`);
    return k;
  };
  return { kernelOf, refuse, work };
}

function missing(n: Node, device: string): string {
  const reason = n.attrs.reason;
  return typeof reason === 'string' ? reason : `${n.origin.opType ?? n.op.name} has no kernel for ${device}`;
}
