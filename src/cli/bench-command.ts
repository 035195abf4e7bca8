import type { Bench, Timing } from '../bench.js';
import { Progress } from '../support/progress.js';
import { type Command, extentsOf, importOptions, inputOptions, json, wantsJson } from './command.js';
import { amount, common, extents, imports, inputs, model, text, threads, whole } from './options.js';
import { typeText } from './statistics.js';
import { clean, headed, plural, type Style } from './terminal.js';

export const benchCommand: Command = {
  usage: 'bench <dir>',
  describe: 'time an engine directory, alone or against onnxruntime',
  positional: { name: 'dir', describe: 'an engine directory' },
  options: {
    against: {
      type: 'string',
      requiresArg: true,
      choices: ['onnxruntime'],
      describe: 'the other side, on the same model and threads',
    },
    ...model,
    ...imports,
    seconds: {
      type: 'string',
      requiresArg: true,
      describe: 'how long each side is measured',
      defaultDescription: '3',
    },
    ...inputs,
    ...extents,
    ...threads,
    ...common,
  },
  examples: [['$0 bench engine/ --against onnxruntime --threads 2', 'both sides in turns']],
  async run(given, io) {
    const against = text(given, 'against') === 'onnxruntime' ? ('onnxruntime' as const) : undefined;
    const options = {
      ...inputOptions(given),
      extents: extentsOf(given),
      against,
      model: text(given, 'model'),
      ...importOptions(given),
      seconds: amount(given, 'seconds'),
      threads: whole(given, 'threads', 1),
      signal: io.signal,
    };
    const { bench } = await import('../bench.js');
    const result = await new Progress().stage('measure', 100, (stage) =>
      bench(text(given, 'dir')!, {
        ...options,
        progress: (share) => stage.reach(Math.round(100 * share), 100),
      }),
    );
    io.print(wantsJson(given) ? json(result) : ['', ...rendered(result, io.style)]);
    return 0;
  },
};

const milliseconds = (ms: number): string => (ms < 10 ? ms.toFixed(3) : ms.toFixed(1));

function rendered(b: Bench, style: Style): readonly string[] {
  const row = (name: string, t: Timing | undefined, ratio: string) =>
    t === undefined ? [] : [[name, ...[t.median, t.p10, t.p90].map(milliseconds), String(t.runs), ratio]];
  const ratio = b.ratio === undefined ? '' : `${b.ratio.toFixed(2)} ×`;
  const mark = (b.ratio ?? 1) >= 1 ? style.good : style.bad;
  const fed = b.inputs.map((i) => `${clean(i.name)} ${typeText(i)}`).join(', ');
  return [
    ...headed(
      style,
      'lrrrrr',
      ['milliseconds', 'median', 'p10', 'p90', 'runs', b.ratio === undefined ? '' : 'speed'],
      [
        ...row('engine', b.engine, mark(ratio)),
        ...row('onnxruntime', b.onnxruntime, b.ratio === undefined ? '' : '1.00 ×'),
      ],
    ),
    '',
    style.dim(`  ${plural(b.threads, 'thread')} each, on ${fed || 'no inputs'}`),
  ];
}
