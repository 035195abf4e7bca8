import type { Comparison } from '../accuracy/metrics.js';
import { deviceText, fallbackReasons, modulesOf, type Report, shares, titleOf } from '../accuracy/report.js';
import { formatBytes, formatError, formatRunTime, formatShare, formatWork } from '../accuracy/units.js';
import { formatSeconds } from '../support/progress.js';
import { clean, headed, plural, type Style, short, table, wrap } from './terminal.js';

const REASONS = 8;
const WIDTH = 100;

export interface SummarySettings {
  /** Every reason and every warning, and the segments one by one. */
  readonly verbose: boolean;
  /** The directory written, as the user named it. */
  readonly directory: string | undefined;
}

/** What a conversion did, or would do, as a short table. */
export function summary(report: Report, style: Style, settings: SummarySettings): readonly string[] {
  const { model, target } = report;
  const planned = settings.directory === undefined;
  const title = `${style.bold(clean(model.name))}  ${style.dim(`${formatBytes(model.bytes)}, ${model.format}, for ${targetText(target)}`)}`;
  return [
    title,
    '',
    ...placement(report, style, planned),
    ...reasons(report, style, settings.verbose),
    ...worth(report, style),
    ...(settings.verbose ? segments(report, style) : []),
    ...(planned ? [] : accuracy(report, style)),
    '',
    ...facts(report, style, settings),
    ...warnings(report, style, settings.verbose),
  ];
}

/** What it runs on, and what of the processor it needs. */
export function targetText(target: Parameters<typeof deviceText>[0] & { readonly isa: string }): string {
  const isa = isaText(target.isa);
  return `${clean(deviceText(target))}${target.kind === 'cpu' ? ` (${isa})` : `, host ${isa}`}`;
}

/** The level, and how many extensions come on top. */
export function isaText(isa: string): string {
  const [level, ...more] = clean(isa).split('+');
  return more.length === 0 ? level! : `${level} + ${plural(more.length, 'extension')}`;
}

function placement({ nodes }: Report, style: Style, planned: boolean): readonly string[] {
  const { engine, fallback, removed } = shares(nodes);
  const whole = engine.work + fallback.work;
  const row = (label: string, share: typeof engine): readonly string[] => [
    label,
    String(share.nodes),
    share.nodes === 0 ? '–' : formatWork(share.work),
    formatShare(share.work, whole || 1),
  ];
  const compiled = fallback.nodes === 0 ? style.good : (text: string) => text;
  return [
    ...headed(
      style,
      'lrrr',
      ['', 'nodes', 'work', 'share'],
      [
        row(compiled(planned ? 'would compile' : 'compiled'), engine),
        row(fallback.nodes > 0 ? style.warn('on onnxruntime') : 'on onnxruntime', fallback),
        ['folded or fused', String(removed.nodes), '–', ''],
      ],
    ),
  ];
}

function reasons({ nodes }: Report, style: Style, verbose: boolean): readonly string[] {
  const groups = fallbackReasons(nodes);
  if (groups.length === 0) return [];
  const whole = nodes.reduce((sum, node) => sum + node.work, 0) || 1;
  const shown = verbose ? groups : groups.slice(0, REASONS);
  const lines = shown.flatMap((group) => {
    const head = `  ${formatShare(group.work, whole).padStart(8)}  ${plural(group.nodes, 'node').padStart(9)}  `;
    const operators = group.operators.slice(0, 4).map(clean).join(', ');
    const more = group.operators.length > 4 ? ', …' : '';
    const modules = modulesOf(group.members.map((n) => n.module));
    const inside = modules === undefined ? '' : ` in ${clean(modules)}`;
    const text = `${operators}${more}${inside}: ${clean(group.reason)}`;
    const [first, ...rest] = wrap(text, WIDTH - head.length);
    const names = verbose
      ? wrap(group.members.map((n) => clean(titleOf(n))).join(', '), WIDTH - head.length)
      : [];
    const indent = ' '.repeat(head.length);
    return [head + first, ...rest.map((l) => indent + l), ...names.map((l) => indent + style.dim(l))];
  });
  const left = groups.length - shown.length;
  const rest =
    left > 0 ? [style.dim(`            and ${plural(left, 'more reason')}, with -v or in report.html`)] : [];
  return ['', style.dim('  left to onnxruntime, most costly first'), ...lines, ...rest];
}

/** What it costs that a model is split, and whether it pays. */
function worth({ segments: all }: Report, style: Style): readonly string[] {
  const split = all.filter((s) => s.saves !== undefined);
  if (split.length === 0) return [];
  const total = (key: 'saves' | 'costs'): string =>
    formatRunTime(split.reduce((sum, s) => sum + (s[key] ?? 0), 0));
  const text = `  ${plural(split.length, 'compiled segment')}: by estimate, a run saves ${total('saves')} in them, and their borders cost ${total('costs')}`;
  return ['', style.dim(text)];
}

function segments(report: Report, style: Style): readonly string[] {
  if (report.segments.length === 0) return [];
  const inModules = report.segments.some((s) => s.modules !== undefined);
  const split = report.segments.some((s) => s.saves !== undefined);
  const rows = report.segments.map((s) => [
    s.name,
    s.placement === 'engine' ? 'compiled' : 'onnxruntime',
    String(s.nodes),
    formatWork(s.work),
    s.placement === 'engine' ? String(s.kernels) : '–',
    s.boundaryBytes === undefined ? '–' : formatBytes(s.boundaryBytes),
    ...(split ? [s.saves, s.costs].map((t) => (t === undefined ? '–' : formatRunTime(t))) : []),
    ...(inModules ? [short(s.modules ?? '–')] : []),
  ]);
  const columns = [
    'segment',
    'runs',
    'nodes',
    'work',
    'kernels',
    'border',
    ...(split ? ['saves', 'costs'] : []),
    ...(inModules ? ['modules'] : []),
  ];
  return ['', ...headed(style, `llrrrr${split ? 'rr' : ''}${inModules ? 'l' : ''}`, columns, rows)];
}

function accuracy(report: Report, style: Style): readonly string[] {
  if (report.accuracy === undefined) return [];
  const rows = report.accuracy.outputs.map(({ name, comparison: c }) => [
    short(name),
    ...(c.problem === undefined
      ? [
          formatError(c.maxAbs),
          formatError(c.maxRel),
          cosineText(c.cosine),
          `${formatError(c.tolerance.atol)} / ${formatError(c.tolerance.rtol)}`,
        ]
      : ['–', '–', '–', '–']),
    verdict(c, style),
  ]);
  const headings = [
    `against ${report.accuracy.reference}`,
    'max abs',
    'max rel',
    'cosine',
    'atol / rtol',
    '',
  ];
  return ['', ...headed(style, 'lrrrrl', headings, rows)];
}

export const verdict = (c: Comparison, style: Style): string =>
  c.pass ? style.good('pass') : style.bad(c.problem === undefined ? 'FAIL' : `FAIL: ${clean(c.problem)}`);

export function cosineText(cosine: number): string {
  const distance = 1 - cosine;
  return distance > 1e-6 ? cosine.toFixed(6) : distance > 1e-15 ? `1 − ${distance.toExponential(0)}` : '1';
}

function facts(report: Report, style: Style, { directory }: SummarySettings): readonly string[] {
  const { kernels, stages, memory } = report;
  const cached = kernels.filter((k) => k.cached).length;
  const total = stages.reduce((sum, s) => sum + s.seconds, 0);
  const times = [
    ...stages.map((s) => `${s.name} ${formatSeconds(s.seconds)}`),
    `total ${formatSeconds(total)}`,
  ];
  const rows: (readonly [string, string])[] = [];
  if (directory !== undefined)
    rows.push(['kernels', `${kernels.length}: ${kernels.length - cached} built, ${cached} from cache`]);
  rows.push(['time', times.join(' · ')]);
  if (directory !== undefined) {
    const activations = memory.arena === undefined ? '' : `, activations ${formatBytes(memory.arena)}`;
    rows.push([
      'size',
      `weights ${formatBytes(memory.weights)}, library ${formatBytes(memory.library)}${activations}`,
    ]);
    rows.push(['written', `${style.bold(clean(directory))}  ${style.dim('(report.html shows it all)')}`]);
  }
  return table(
    'll',
    rows.map(([name, value]) => [style.dim(name), value]),
  );
}

function warnings({ warnings: all }: Report, style: Style, verbose: boolean): readonly string[] {
  if (all.length === 0) return [];
  const shown = verbose ? all : all.slice(0, 5);
  const lines = shown.flatMap((text) => {
    const [first, ...rest] = wrap(clean(text), WIDTH - 11);
    return [`  ${style.warn('warning')}  ${first}`, ...rest.map((l) => ' '.repeat(11) + l)];
  });
  const left = all.length - shown.length;
  return [
    '',
    ...lines,
    ...(left > 0 ? [style.dim(`           and ${plural(left, 'more warning')}, with -v`)] : []),
  ];
}
