import { CompileError } from '../support/diagnostic.js';
import type { Graph } from './graph.js';
import { print } from './print.js';
import { type Rule, rewrite } from './rewrite.js';

/** A named function from graph to graph. It changed the graph exactly when it returned another object. */
export interface Pass {
  readonly name: string;
  run(g: Graph): Graph | Promise<Graph>;
}

export const rewrites = (name: string, rules: readonly Rule[]): Pass & { run(g: Graph): Graph } => ({
  name,
  run: (g) => rewrite(g, rules),
});

export interface Trace {
  pass(name: string, before: Graph, after: Graph, ms: number): void;
}

/** Runs passes in order, verifying what each of them made. A failure names the pass. */
export async function runPasses(
  g: Graph,
  passes: readonly Pass[],
  verify: (g: Graph) => void,
  trace?: Trace,
): Promise<Graph> {
  verify(g);
  for (const pass of passes) {
    const start = performance.now();
    const next = await within(`in pass ${pass.name}`, () => pass.run(g));
    if (next !== g) CompileError.within(`after pass ${pass.name}`, () => verify(next));
    trace?.pass(pass.name, g, next, performance.now() - start);
    g = next;
  }
  return g;
}

async function within<T>(where: string, body: () => T | Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (e) {
    if (e instanceof CompileError) e.notes.push(where);
    throw e;
  }
}

/** Prints the graph after each pass that changed it and whose name the filter matches. */
export const dumper = (filter: RegExp, write: (s: string) => void): Trace => ({
  pass: (name, before, after, ms) => {
    if (before !== after && filter.test(name))
      write(`// after ${name} (${ms.toFixed(1)} ms)\n${print(after)}\n`);
  },
});
