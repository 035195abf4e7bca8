import { formatCount, formatError, formatShare } from '../accuracy/units.js';
import type { Diff } from '../diff.js';
import type { OutputComparison } from '../verify.js';
import { type Command, conversionOptions, extentsOf, inputOptions, json, wantsJson } from './command.js';
import { amount, common, flag, inputs, model, partition, target, text, threads } from './options.js';
import { cosineText, verdict } from './summary.js';
import { clean, headed, plural, type Style, short, table, wrap } from './terminal.js';

export const diffCommand: Command = {
  usage: 'diff <path>',
  describe: 'compare an engine, or a model, with onnxruntime',
  positional: { name: 'path', describe: 'an engine directory, or a model to compile first' },
  options: {
    ...inputs,
    atol: {
      type: 'string',
      requiresArg: true,
      describe: 'absolute tolerance',
      defaultDescription: 'follows from the types',
    },
    rtol: {
      type: 'string',
      requiresArg: true,
      describe: 'relative tolerance',
      defaultDescription: 'follows from the types',
    },
    ...model,
    ...target,
    ...partition,
    ...threads,
    ...common,
  },
  examples: [
    ['$0 diff engine/', 'on seeded random inputs'],
    ['$0 diff model.onnx --data-set test_data_set_0', 'with recorded outputs as well'],
  ],
  async run(given, io) {
    const options = { ...conversionOptions(given, io), ...inputOptions(given) };
    const { diff } = await import('../diff.js');
    const result = await diff(text(given, 'path')!, {
      ...options,
      extents: extentsOf(given),
      model: text(given, 'model'),
      atol: amount(given, 'atol'),
      rtol: amount(given, 'rtol'),
    });
    if (wantsJson(given)) {
      const { manifest, ...rest } = result;
      io.print(json({ model: manifest.source, ...rest }));
    } else io.print(rendered(result, io.style, flag(given, 'verbose')));
    return result.pass ? 0 : 1;
  },
};

function rendered(d: Diff, style: Style, verbose: boolean): readonly string[] {
  const lines = [
    `${style.bold(clean(d.manifest.source.name))}  ${d.pass ? style.good('pass') : style.bad('FAIL')}`,
  ];
  if (d.outputs.length > 0) lines.push('', ...comparisonTable('against onnxruntime', d.outputs, style));
  if (d.unreferenced !== undefined)
    lines.push('', ...wrap(`  ${style.warn('no reference')}  ${clean(d.unreferenced)}`, 100));
  if (d.recorded.length > 0)
    lines.push(
      '',
      ...comparisonTable(
        d.recordedBy === 'PyTorch' ? 'against PyTorch' : 'against the data set',
        d.recorded,
        style,
      ),
    );
  if (d.deviating !== undefined) {
    const { segment, reason, nodes } = d.deviating;
    const names = verbose ? nodes : nodes.slice(0, 6);
    const more = nodes.length > names.length ? `, and ${nodes.length - names.length} more` : '';
    const rows = [
      ['first to deviate', `${style.bold(clean(segment))}: ${clean(reason)}`],
      [`its ${plural(nodes.length, 'node')}`, names.map((n) => short(n)).join(', ') + more],
    ];
    lines.push(
      '',
      ...table(
        'll',
        rows.map(([a, b]) => [style.dim(a!), b!]),
      ),
    );
  } else if (!d.pass)
    lines.push(
      '',
      style.dim(
        '  Each compiled segment agrees with onnxruntime on its own inputs: the difference builds up across them.',
      ),
    );
  return lines;
}

function comparisonTable(
  title: string,
  outputs: readonly OutputComparison[],
  style: Style,
): readonly string[] {
  const columns = 'lrrrrrrrrrl';
  const headings = [
    title,
    'max abs',
    'mean abs',
    'max rel',
    'mean rel',
    'ULP',
    'cosine',
    'argmax',
    'NaN, Inf',
    'atol / rtol',
    '',
  ];
  const rows = outputs.flatMap(({ output, comparison: c }) => {
    if (c.problem !== undefined)
      return [[short(output, 32), ...Array.from({ length: 9 }, () => '–'), verdict(c, style)]];
    const special = c.nan.actual + c.nan.expected + c.inf.actual + c.inf.expected;
    const oddities =
      special === 0
        ? 'none'
        : c.nonFiniteMismatches === 0
          ? `${c.nan.expected}, ${c.inf.expected}`
          : style.bad(`${c.nonFiniteMismatches} differ`);
    return [
      [
        short(output, 32),
        formatError(c.maxAbs),
        formatError(c.meanAbs),
        formatError(c.maxRel),
        formatError(c.meanRel),
        c.maxUlp === undefined ? '–' : formatCount(c.maxUlp),
        cosineText(c.cosine),
        c.argmaxAgreement === undefined ? '–' : formatShare(c.argmaxAgreement, 1),
        oddities,
        `${formatError(c.tolerance.atol)} / ${formatError(c.tolerance.rtol)}`,
        verdict(c, style),
      ],
    ];
  });
  const worst = outputs.flatMap(({ output, comparison: c }) =>
    c.pass || c.worst === undefined
      ? []
      : [
          `  ${short(output, 32)}: ${formatCount(c.outside)} of ${plural(c.elements, 'element')} outside, the worst at [${c.worst.index.join(', ')}]: ${clean(String(c.worst.actual))} where ${clean(String(c.worst.expected))} is expected`,
        ],
  );
  return [...headed(style, columns, headings, rows), ...worst];
}
