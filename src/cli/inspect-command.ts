import { formatBytes, formatError } from '../accuracy/units.js';
import type { Inspection } from '../inspect.js';
import { typeText } from '../runtime/feeds.js';
import { type Command, conversionOptions, json, wantsJson } from './command.js';
import { common, flag, partition, target, text } from './options.js';
import { summary, targetText } from './summary.js';
import { clean, headed, plural, type Style, short, table, wrap } from './terminal.js';

export const inspectCommand: Command = {
  usage: 'inspect <path>',
  describe: 'what a model holds and what would compile; what an engine directory is',
  positional: { name: 'path', describe: 'a model, or an engine directory' },
  options: { ...target, ...partition, ...common },
  examples: [['$0 inspect model.onnx', 'operators, inputs, outputs, what would compile and what not']],
  async run(given, io) {
    const { inspect } = await import('../inspect.js');
    const found = await inspect(text(given, 'path')!, conversionOptions(given, io));
    if (wantsJson(given)) io.print(json(found));
    else if (found.kind === 'model') io.print(model(found, io.style, flag(given, 'verbose')));
    else io.print(engine(found, io.style));
    return 0;
  },
};

type Model = Extract<Inspection, { kind: 'model' }>;
type Engine = Extract<Inspection, { kind: 'engine' }>;

function model(m: Model, style: Style, verbose: boolean): readonly string[] {
  const opsets = m.about.opsets.map((o) => `${clean(o.domain) || 'ai.onnx'} ${o.version}`).join(', ');
  // A PyTorch program has no operator sets, and no functions of its own.
  const hasSets = m.about.opsets.length > 0;
  const rows = m.about.operators.map((o) => [
    String(o.count),
    clean(o.operator),
    ...(hasSets
      ? [o.opset === undefined ? 'function of the model' : `${clean(o.domain) || 'ai.onnx'} ${o.opset}`]
      : []),
  ]);
  const facts = [
    ['format', `${m.about.format}, ${formatBytes(m.bytes)}`],
    ['made by', clean(m.about.producer) || '–'],
    ...(hasSets ? [['operator sets', opsets]] : []),
    ...m.guards.map((g, i) => [i === 0 ? 'made for' : '', clean(g)]),
    ['SHA-256', m.sha256],
  ];
  return [
    ...table(
      'll',
      facts.map(([name, value]) => [style.dim(name!), value!]),
    ),
    '',
    ...ports('input', m.inputs, style),
    '',
    ...ports('output', m.outputs, style),
    '',
    ...headed(style, hasSets ? 'rll' : 'rl', ['nodes', 'operator', ...(hasSets ? ['set'] : [])], rows),
    '',
    ...(m.plan === undefined
      ? wrap(`  ${style.warn('not planned')}  ${clean(m.unplanned ?? '')}`, 100)
      : summary(m.plan, style, { verbose, directory: undefined })),
  ];
}

const ports = (
  what: string,
  list: readonly { readonly name: string; readonly type: string }[],
  style: Style,
) =>
  headed(
    style,
    'll',
    [what, 'type'],
    list.map((p) => [short(p.name), clean(p.type)]),
  );

function engine({ manifest: m, report }: Engine, style: Style): readonly string[] {
  const left = m.steps.filter((s) => s.kind === 'fallback');
  const steps = m.steps.map((s) => [
    s.target,
    s.kind === 'engine' ? 'compiled' : 'onnxruntime',
    plural(s.nodes, 'node'),
  ]);
  const accuracy = m.accuracy.map((a) => [
    short(a.output),
    formatError(a.maxAbsolute),
    formatError(a.maxRelative),
    a.pass ? style.good('pass') : style.bad('FAIL'),
  ]);
  const facts = [
    [
      'made from',
      `${clean(m.source.name)}, ${formatBytes(m.source.bytes)}, SHA-256 ${clean(m.source.sha256)}`,
    ],
    ['made by', `${m.tool.name} ${clean(m.tool.version)}, ${clean(m.target.compiler)}`],
    ['runs on', m.target.kind === 'cpu' ? `cpu ${targetText(m.target)}` : targetText(m.target)],
    ['weights', formatBytes(m.weights.bytes)],
    ['kernels', String(m.kernels.length)],
  ];
  const described = (list: typeof m.inputs) => list.map((p) => ({ name: p.name, type: typeText(p) }));
  const why =
    left.length === 0 || report === undefined
      ? []
      : ['', ...summary(report, style, { verbose: false, directory: undefined }).slice(2)];
  return [
    ...table(
      'll',
      facts.map(([name, value]) => [style.dim(name!), value!]),
    ),
    '',
    ...ports('input', described(m.inputs), style),
    '',
    ...ports('output', described(m.outputs), style),
    '',
    ...headed(
      style,
      'llr',
      ['step', 'runs', ''],
      steps.map((r) => r.map(clean)),
    ),
    ...(accuracy.length === 0
      ? []
      : ['', ...headed(style, 'lrrl', ['accuracy when made', 'max abs', 'max rel', ''], accuracy)]),
    ...why,
  ];
}
