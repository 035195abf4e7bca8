import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Worth } from '../lowering/segment-worth.js';
import {
  type KernelReport,
  modulesOf,
  type NodeReport,
  type PortReport,
  type Report,
  type SegmentReport,
} from './accuracy/report.js';
import { renderReport } from './accuracy/report-html.js';
import { targetOf } from './backend.js';
import type { BuiltEngine } from './build-engine.js';
import type { Conversion } from './compile.js';
import { isStatic } from './ir/dim.js';
import { type Graph, inputName, is, type Node, topological, type Value } from './ir/graph.js';
import { bytesOf, showType } from './ir/type.js';
import { if_ } from './ops/control-flow.js';
import { defaultThreads } from './runtime/threads.js';
import { toolVersion, versionOf } from './version.js';

export interface ReportSettings {
  readonly threads?: number | undefined;
  readonly seed?: number | undefined;
}

/** What a conversion did, in numbers and names. */
export function reportOf(c: Conversion, { threads, seed = 0 }: ReportSettings = {}): Report {
  const { about, backend, engine, source } = c;
  const work = new Map(engine.partition.decisions.map((d) => [d.node, d.work]));
  return {
    tool: { name: 'ait-convert', version: toolVersion },
    model: {
      ...source,
      format: about.format,
      ...(about.producer === '' ? {} : { producer: about.producer }),
      opsets: about.opsets,
      inputs: c.graph.inputs.map((v) => portOf(inputName(v), v)),
      outputs: c.graph.outputs.map((v, i) => portOf(c.graph.outputNames[i]!, v)),
    },
    target: {
      ...targetOf(backend),
      threads: threads ?? defaultThreads(),
    },
    nodes: nodesOf(c),
    segments: segmentsOf(engine, work),
    kernels: kernelsOf(engine, work),
    stages: together(c.stages),
    memory: {
      weights: c.manifest?.weights.bytes ?? 0,
      library: engine.library?.byteLength ?? 0,
      ...arenaOf(engine),
      peak: process.resourceUsage().maxRSS * 1024,
    },
    ...(c.accuracy === undefined
      ? {}
      : {
          accuracy: {
            reference: `onnxruntime ${versionOf('onnxruntime-node')}`,
            inputs: `seeded random, seed ${seed}`,
            outputs: c.accuracy.map(({ output, comparison }) => ({ name: output, comparison })),
          },
        }),
    warnings: c.warnings,
  };
}

/** `report.json` and `report.html`. */
export async function writeReport(directory: string, report: Report): Promise<void> {
  await writeFile(join(directory, 'report.json'), `${JSON.stringify(report, undefined, 1)}\n`);
  await writeFile(join(directory, 'report.html'), renderReport(report));
}

const portOf = (name: string, v: Value): PortReport => ({ name, type: showType(v.type) });

/** A stage that ran more than once, because a segment had to be given back, counts as one. */
function together(stages: Conversion['stages']): Report['stages'] {
  const seconds = new Map<string, number>();
  for (const s of stages) seconds.set(s.name, (seconds.get(s.name) ?? 0) + s.seconds);
  return [...seconds].map(([name, total]) => ({ name, seconds: total }));
}

/** What became of the nodes that are left, then the nodes of the user's model that are not among them. */
function nodesOf({ about, engine }: Conversion): readonly NodeReport[] {
  const names = segmentNames(engine);
  const domains = new Map(about.nodes.map((n) => [n.name, n.domain]));
  const placed = engine.partition.decisions.map(({ node, kind, work, reason }): NodeReport => {
    const segment = names.get(node);
    return {
      name: node.origin.name,
      operator: node.origin.opType ?? node.op.name,
      domain: domains.get(node.origin.name) ?? '',
      ...(node.origin.path === undefined ? {} : { module: node.origin.path }),
      placement: kind,
      work,
      ...(segment === undefined ? {} : { segment }),
      ...(reason === undefined ? {} : { reason }),
    };
  });
  const left = new Set(placed.map((n) => n.name));
  const inlined = new Set(placed.map((n) => n.name.split('/')[0]!));
  // What a branch holds is where its node is.
  const holders = new Map<string, NodeReport>();
  engine.partition.decisions.forEach(({ node }, i) => {
    for (const n of nodesInside(node)) holders.set(n.origin.name, placed[i]!);
  });
  const gone = about.nodes.filter((n) => !left.has(n.name) && !(n.isCall && inlined.has(n.name)));
  return [
    ...merged(placed),
    ...gone.map(({ name, operator, domain, module }): NodeReport => {
      const { placement = 'removed', segment, reason } = holders.get(name) ?? {};
      return {
        ...{ name, operator, domain, placement, work: 0 },
        ...(module === undefined ? {} : { module }),
        ...(segment === undefined ? {} : { segment }),
        ...(reason === undefined ? {} : { reason }),
      };
    }),
  ];
}

/** A node of the model that became several in one place, as by conversions around it, is one. */
function merged(rows: readonly NodeReport[]): readonly NodeReport[] {
  const found = new Map<string, NodeReport>();
  for (const row of rows) {
    const key = JSON.stringify([row.name, row.placement, row.segment, row.reason]);
    const before = found.get(key);
    found.set(key, before ? { ...before, work: before.work + row.work } : row);
  }
  return [...found.values()];
}

const nodesInside = (node: Node): readonly Node[] =>
  is(node, if_)
    ? [node.attrs.thenBranch, node.attrs.elseBranch]
        .flatMap(topological)
        .flatMap((n) => [n, ...nodesInside(n)])
    : [];

const nameOf = ({ segment, code }: BuiltEngine['segments'][number], i: number): string =>
  code?.name ?? `${segment.kind === 'engine' ? 'segment' : 'fallback'}_${i}`;

function segmentNames({ segments }: BuiltEngine): ReadonlyMap<Node, string> {
  return new Map(segments.flatMap((s, i) => s.segment.nodes.map((n): [Node, string] => [n, nameOf(s, i)])));
}

/** The nodes of the user's model behind those of a segment. */
const namesOf = (nodes: readonly Node[]): ReadonlySet<string> => new Set(nodes.map((n) => n.origin.name));

type Work = ReadonlyMap<Node, number>;
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

const segmentsOf = ({ segments, partition }: BuiltEngine, work: Work): readonly SegmentReport[] =>
  segments.map((s, i) => ({
    name: nameOf(s, i),
    placement: s.segment.kind,
    nodes: namesOf(s.segment.nodes).size,
    work: sum(s.segment.nodes.map((n) => work.get(n) ?? 0)),
    kernels: s.code?.kernels.length ?? 0,
    ...modulesIn(s.segment.nodes),
    ...borderOf(s.segment.graph),
    ...worthOf(partition.worth.get(s.segment)),
  }));

const worthOf = (worth: Worth | undefined): Pick<SegmentReport, 'saves' | 'costs'> =>
  worth === undefined ? {} : { saves: worth.saved, costs: worth.price };

function modulesIn(nodes: readonly Node[]): Pick<SegmentReport, 'modules'> {
  const modules = modulesOf(nodes.map((n) => n.origin.path));
  return modules === undefined ? {} : { modules };
}

function borderOf({ inputs, outputs }: Graph): Pick<SegmentReport, 'boundaryBytes'> {
  const sizes = [...inputs, ...outputs].map(({ type }) =>
    type.kind === 'tensor' && isStatic(type.shape)
      ? bytesOf(
          type.dtype,
          type.shape.reduce((a, b) => a * b, 1),
        )
      : undefined,
  );
  return sizes.some((s) => s === undefined) ? {} : { boundaryBytes: sum(sizes.map((s) => s ?? 0)) };
}

function kernelsOf(engine: BuiltEngine, work: Work): readonly KernelReport[] {
  const found = new Map<string, KernelReport>();
  const sources = engine.sources.filter((f) => f.name !== 'program.cpp');
  for (const { segment, code } of engine.segments)
    for (const [entry, nodes] of code?.callers ?? []) {
      const before = found.get(entry);
      const file = sources.find((f) => f.text.includes(`void ${entry}(`));
      found.set(entry, {
        name: entry,
        calls: (before?.calls ?? 0) + nodes.length,
        work: (before?.work ?? 0) + sum(nodes.map((n) => work.get(segment.originals.get(n) ?? n) ?? 0)),
        cached: file !== undefined && !engine.fresh.includes(file.name),
      });
    }
  return [...found.values()];
}

function arenaOf({ segments }: BuiltEngine): { readonly arena?: number } {
  const sizes = segments.flatMap((s) => (s.code ? [s.code.arenaBytes] : []));
  return sizes.some((s) => s === undefined) ? {} : { arena: sum(sizes.map((s) => s ?? 0)) };
}
