import { formatSeconds } from '../support/progress.js';
import { type Html, html } from './html.js';
import type { Comparison } from './metrics.js';
import {
  deviceText,
  fallbackReasons,
  type NodeReport,
  type PortReport,
  type Report,
  type Share,
  shares,
  titleOf,
} from './report.js';
import { reportStyle } from './report-style.js';
import { formatBytes, formatCount, formatError, formatRunTime, formatShare, formatWork } from './units.js';

/** The report as one HTML page that needs nothing else: no script, no font, no network. */
export function renderReport(report: Report): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${report.model.name} – ${report.tool.name}</title>
<style>${reportStyle}</style>
</head>
<body><main>
${header(report)}
${tiles(report)}
${placement(report)}
${warnings(report)}
${fallbacks(report)}
${accuracy(report)}
${segments(report)}
${kernels(report)}
${stages(report)}
${model(report)}
${allNodes(report)}
<footer>Written by ${report.tool.name} ${report.tool.version}. Work is an estimate: floating-point operations, or elements touched where there are none.</footer>
</main></body>
</html>
`.text;
}

const deviceHtml = (target: Report['target']): Html =>
  target.kind === 'cpu' ? html`cpu <code>${target.arch}</code>` : html`${deviceText(target)}`;

function header({ model: { name, format, bytes }, target }: Report): Html {
  return html`<header><h1><bdi>${name}</bdi></h1>
<div class="soft">${format}, ${formatBytes(bytes)}, compiled for ${deviceHtml(target)} with ${target.compiler}</div></header>`;
}

function tiles({ nodes, accuracy, memory, stages }: Report): Html {
  const { engine, fallback } = shares(nodes);
  const work = engine.work + fallback.work;
  const failed = accuracy?.outputs.filter((output) => !output.comparison.pass).length ?? 0;
  const verdict =
    accuracy === undefined
      ? html`<b class="soft">not checked</b>`
      : failed === 0
        ? html`<b class="good">all pass</b>`
        : html`<b class="bad">${failed} of ${accuracy.outputs.length} fail</b>`;
  return html`<div class="tiles">
<div class="tile"><b>${formatShare(engine.work, work)}</b><span>of the work compiled</span></div>
<div class="tile"><b>${formatCount(engine.nodes)} of ${formatCount(engine.nodes + fallback.nodes)}</b><span>nodes compiled</span></div>
<div class="tile">${verdict}<span>${accuracy === undefined ? 'accuracy' : `against ${accuracy.reference}`}</span></div>
<div class="tile"><b>${formatBytes(memory.weights + memory.library)}</b><span>weights and library</span></div>
<div class="tile"><b>${formatSeconds(stages.reduce((sum, stage) => sum + stage.seconds, 0))}</b><span>to convert</span></div>
</div>`;
}

function placement({ nodes }: Report): Html {
  const by = shares(nodes);
  const whole = by.engine.work + by.fallback.work;
  const part = (kind: 'engine' | 'fallback', { work }: Share) =>
    work === 0 ? undefined : html`<i class="${kind}" style="flex: ${work} 1 0"></i>`;
  const entry = (kind: NodeReport['placement'], label: string, { nodes: count, work }: Share) =>
    count === 0
      ? undefined
      : html`<span><i class="${kind}"></i>${label}: ${plural(count, 'node')}${kind === 'removed' ? undefined : `, ${formatWork(work)} operations (${formatShare(work, whole)})`}</span>`;
  return html`<section><h2>Where the work goes</h2>
<div class="bar">${part('engine', by.engine)}${part('fallback', by.fallback)}</div>
<div class="legend">${entry('engine', 'engine', by.engine)}${entry('fallback', 'onnxruntime', by.fallback)}${entry('removed', 'folded, fused or removed', by.removed)}</div>
</section>`;
}

function warnings({ warnings: list }: Report): Html | undefined {
  if (list.length === 0) return undefined;
  return html`<section><h2>To know about this model</h2><ul>${list.map((text) => html`<li>${text}</li>`)}</ul></section>`;
}

function fallbacks({ nodes }: Report): Html | undefined {
  const groups = fallbackReasons(nodes);
  if (groups.length === 0) return undefined;
  const whole = nodes.reduce((sum, node) => sum + node.work, 0);
  const rows = groups.map(
    (
      group,
    ) => html`<tr><td class="wide">${group.reason}${group.remedy === undefined ? undefined : html`<div class="soft">${group.remedy}</div>`}
<details><summary>${plural(group.nodes, 'node')}</summary>${group.members.map((node) => html`<div class="name"><bdi>${titleOf(node) || '(no name)'}</bdi></div>`)}</details></td>
<td>${group.operators.join(', ')}</td><td class="number">${formatWork(group.work)}</td><td class="number">${formatShare(group.work, whole)}</td></tr>`,
  );
  return html`<section><h2>Left to onnxruntime <small>most costly first</small></h2>
${table(['reason', 'operators', '#work', '#share'], rows)}</section>`;
}

function accuracy({ accuracy: report }: Report): Html | undefined {
  if (report === undefined) return undefined;
  const rows = report.outputs.map(({ name, comparison: c }) =>
    c.problem === undefined
      ? html`<tr><td class="name"><bdi>${name}</bdi></td><td>${verdictOf(c)}</td><td class="number">${formatError(c.maxAbs)}</td><td class="number">${formatError(c.meanAbs)}</td>
<td class="number">${formatError(c.maxRel)}</td><td class="number">${formatError(c.meanRel)}</td><td class="number">${c.maxUlp === undefined ? '–' : formatCount(c.maxUlp)}</td><td class="number">${cosineOf(c.cosine)}</td>
<td class="number">${c.argmaxAgreement === undefined ? '–' : formatShare(c.argmaxAgreement, 1)}</td><td class="number">${nonFinite(c)}</td><td class="number">${formatError(c.tolerance.atol)} / ${formatError(c.tolerance.rtol)}</td></tr>${worstRow(c)}`
      : html`<tr><td class="name"><bdi>${name}</bdi></td><td>${verdictOf(c)}</td><td colspan="9">${c.problem}</td></tr>`,
  );
  return html`<section><h2>Accuracy <small>against ${report.reference}, ${report.inputs}</small></h2>
${table(['output', '', '#max abs', '#mean abs', '#max rel', '#mean rel', '#max ULP', '#cosine', '#argmax', '#NaN, Inf', '#atol / rtol'], rows)}</section>`;
}

function verdictOf({ pass }: Comparison): Html {
  return pass ? html`<span class="pill good">pass</span>` : html`<span class="pill bad">fail</span>`;
}

function worstRow({ pass, worst, outside, elements }: Comparison): Html | undefined {
  if (pass || worst === undefined) return undefined;
  return html`<tr><td></td><td colspan="10" class="soft">${formatCount(outside)} of ${plural(elements, 'element')} outside; the worst at [${worst.index.join(', ')}]: ${worst.actual} where ${worst.expected} is expected</td></tr>`;
}

function cosineOf(cosine: number): string {
  const distance = 1 - cosine;
  return distance > 1e-6 ? cosine.toFixed(6) : distance > 1e-15 ? `1 − ${distance.toExponential(0)}` : '1';
}

function nonFinite({ nan, inf, nonFiniteMismatches }: Comparison): Html {
  const total = nan.expected + inf.expected + nan.actual + inf.actual;
  if (total === 0) return html`none`;
  if (nonFiniteMismatches === 0) return html`${formatCount(nan.expected + inf.expected)}, same`;
  return html`<span class="bad">${plural(nonFiniteMismatches, 'mismatch', 'mismatches')}</span>`;
}

function segments({ segments: list }: Report): Html | undefined {
  if (list.length === 0) return undefined;
  const rows = list.map(
    (
      s,
    ) => html`<tr><td class="nowrap"><span class="dot ${s.placement}"></span><span class="name">${s.modules === undefined ? s.name : `${s.name}: ${s.modules}`}</span></td><td>${s.placement === 'engine' ? 'engine' : 'onnxruntime'}</td><td class="number">${formatCount(s.nodes)}</td>
<td class="number">${formatWork(s.work)}</td><td class="number">${s.placement === 'engine' ? formatCount(s.kernels) : '–'}</td><td class="number">${s.boundaryBytes === undefined ? '–' : formatBytes(s.boundaryBytes)}</td><td class="number">${s.saves === undefined ? '–' : formatRunTime(s.saves)}</td><td class="number">${s.costs === undefined ? '–' : formatRunTime(s.costs)}</td></tr>`,
  );
  return html`<section><h2>Segments <small>in execution order</small></h2>
${table(['segment', 'runs on', '#nodes', '#work', '#kernels', '#boundary', '#saves', '#costs'], rows)}</section>`;
}

function kernels({ kernels: list }: Report): Html | undefined {
  if (list.length === 0) return undefined;
  const sorted = list.toSorted((a, b) => b.work - a.work);
  const rows = sorted.map(
    (
      k,
    ) => html`<tr><td class="name">${k.name}</td><td class="number">${formatCount(k.calls)}</td><td class="number">${formatWork(k.work)}</td>
<td class="number">${k.cached ? 'from cache' : k.seconds === undefined ? 'built' : `built in ${formatSeconds(k.seconds)}`}</td></tr>`,
  );
  const cached = list.filter((k) => k.cached).length;
  const [first, rest] = [rows.slice(0, 12), rows.slice(12)];
  const heads = ['kernel', '#calls', '#work', '#'];
  return html`<section><h2>Kernels <small>${list.length - cached} built, ${cached} from cache</small></h2>${table(heads, first)}
${rest.length === 0 ? undefined : html`<details><summary>${plural(rest.length, 'more kernel')}</summary>${table(heads, rest)}</details>`}</section>`;
}

function stages({ stages: list, memory }: Report): Html {
  const longest = Math.max(...list.map((stage) => stage.seconds), Number.MIN_VALUE);
  const rows = list.map(
    ({ name, seconds }) =>
      html`<tr><td class="nowrap">${name}</td><td class="meter"><div><i style="width: ${((100 * seconds) / longest).toFixed(1)}%"></i></div></td><td class="number">${formatSeconds(seconds)}</td></tr>`,
  );
  const size = (label: string, bytes: number | undefined) =>
    bytes === undefined ? undefined : html`<div><div class="soft">${label}</div>${formatBytes(bytes)}</div>`;
  return html`<section><h2>Time and memory</h2>${list.length === 0 ? undefined : html`<table class="stages">${rows}</table>`}
<div class="sizes">${size('weights', memory.weights)}${size('library', memory.library)}${size('activations of one run', memory.arena)}${size('peak while converting', memory.peak)}</div></section>`;
}

function model({ model: m, target }: Report): Html {
  const ports = (list: readonly PortReport[]) =>
    list.map(
      (port) =>
        html`<div><span class="name"><bdi>${port.name}</bdi></span> <code class="soft">${port.type}</code></div>`,
    );
  const opsets = m.opsets.map(({ domain, version }) => `${domain || 'ai.onnx'} ${version}`).join(', ');
  return html`<section><h2>Model and target</h2><dl>
<dt>inputs</dt><dd>${ports(m.inputs)}</dd><dt>outputs</dt><dd>${ports(m.outputs)}</dd>
<dt>operator sets</dt><dd>${opsets || '–'}</dd>${m.producer === undefined ? undefined : html`<dt>made by</dt><dd>${m.producer}</dd>`}
<dt>SHA-256</dt><dd><code>${m.sha256}</code></dd>
<dt>target</dt><dd>${deviceHtml(target)}, ${target.kind === 'cpu' ? '' : 'host '}${target.isa}, ${plural(target.threads, 'thread')}</dd><dt>compiler</dt><dd>${target.compiler}</dd></dl></section>`;
}

const PLACES: Readonly<Record<NodeReport['placement'], string>> = {
  engine: 'engine',
  fallback: 'onnxruntime',
  removed: 'removed',
};

function allNodes({ nodes }: Report): Html {
  const rows = nodes.map(
    (
      node,
    ) => html`<tr><td class="nowrap"><span class="dot ${node.placement}"></span>${PLACES[node.placement]}</td><td class="nowrap">${node.domain === '' || node.domain === 'ai.onnx' ? undefined : `${node.domain}.`}${node.operator}</td><td class="name"><bdi>${titleOf(node) || '–'}</bdi></td>
<td class="number">${node.placement === 'removed' ? '–' : formatWork(node.work)}</td><td>${node.reason ?? node.segment}</td></tr>`,
  );
  return html`<section class="nodes"><h2>Every node</h2><details><summary>${plural(nodes.length, 'node')}, in the model’s order</summary>
${table(['runs on', 'operator', 'name', '#work', 'segment, or why not'], rows)}</details></section>`;
}

/** A heading that begins with `#` stands over numbers. */
function table(headings: readonly string[], rows: readonly Html[]): Html {
  const cells = headings.map((h) =>
    h.startsWith('#') ? html`<th class="number">${h.slice(1)}</th>` : html`<th>${h}</th>`,
  );
  return html`<div class="scroll"><table><thead><tr>${cells}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
