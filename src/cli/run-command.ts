import { formatSeconds } from '../support/progress.js';
import { isTensorData, type ValueData } from '../support/value-data.js';
import { type Command, extentsOf, inputOptions, json, wantsJson } from './command.js';
import { common, extents, flag, inputs, text, threads, whole } from './options.js';
import { formatNumber, statisticsOf, typeText } from './statistics.js';
import { clean, headed, plural, type Style, short, table } from './terminal.js';
import { writeTensors } from './write-tensors.js';

export const runCommand: Command = {
  usage: 'run <dir>',
  describe: 'run an engine directory once',
  positional: { name: 'dir', describe: 'an engine directory' },
  options: {
    ...inputs,
    ...extents,
    'output-dir': { type: 'string', requiresArg: true, describe: 'folder for output_0.pb, output_1.pb, …' },
    npy: { type: 'boolean', describe: 'write output_0.npy, … as well', implies: 'output-dir' },
    ...threads,
    ...common,
  },
  examples: [
    ['$0 run engine/', 'on seeded random inputs'],
    ['$0 run engine/ --input x=@x.npy --output-dir out/ --npy', 'on an array, keeping the outputs'],
  ],
  async run(given, io) {
    const directory = text(given, 'dir')!;
    const { run } = await import('../run.js');
    const { manifest, feeds, outputs, seconds } = await run(directory, {
      ...inputOptions(given),
      extents: extentsOf(given),
      threads: whole(given, 'threads', 1),
      signal: io.signal,
    });
    io.signal.throwIfAborted();
    const folder = text(given, 'output-dir');
    const written = folder === undefined ? [] : await writeTensors(folder, outputs, flag(given, 'npy'));
    if (wantsJson(given)) {
      const described = (values: ReadonlyMap<string, ValueData>) =>
        [...values].map(([name, value]) =>
          isTensorData(value)
            ? { name, dtype: value.dtype, shape: value.shape, ...statisticsOf(value) }
            : { name, type: containerText(value) },
        );
      io.print(json({ seconds, inputs: described(feeds), outputs: described(outputs), written }));
      return 0;
    }
    const left = manifest.steps.filter((s) => s.kind === 'fallback').length;
    const compiled = manifest.steps.length - left;
    const parts = `${plural(compiled, 'compiled segment')}, ${left} on onnxruntime`;
    io.print([
      `${io.style.bold(clean(manifest.source.name))}  ${io.style.dim(`${parts}, first run ${formatSeconds(seconds)}`)}`,
      '',
      ...tensorTable(io.style, 'input', feeds),
      '',
      ...tensorTable(io.style, 'output', outputs),
      ...(written.length === 0
        ? []
        : ['', ...table('ll', [[io.style.dim('written'), written.map(clean).join(', ')]])]),
    ]);
    return 0;
  },
};

/** `sequence of 3: f32[2], f32[4], …` */
function containerText(value: Exclude<ValueData, { readonly dtype: string }>): string {
  if (value.kind === 'optional') {
    if (value.value === undefined) return 'optional, empty';
    return `optional ${isTensorData(value.value) ? typeText(value.value) : containerText(value.value)}`;
  }
  const { elements } = value;
  const shown = elements.slice(0, 3).map(typeText);
  const rest = elements.length > shown.length ? ', …' : '';
  return `sequence of ${elements.length}${shown.length > 0 ? `: ${shown.join(', ')}${rest}` : ''}`;
}

function tensorTable(style: Style, what: string, values: ReadonlyMap<string, ValueData>): readonly string[] {
  const rows = [...values].map(([name, t]) => {
    if (!isTensorData(t)) return [short(name), containerText(t), '–', '–', '–', '0'];
    const s = statisticsOf(t);
    const numbers = s === undefined ? ['–', '–', '–'] : [s.min, s.max, s.mean].map(formatNumber);
    const oddities = s === undefined || s.nan + s.inf === 0 ? '0' : style.warn(`${s.nan}, ${s.inf}`);
    return [short(name), typeText(t), ...numbers, oddities];
  });
  return headed(style, 'llrrrr', [what, 'type', 'min', 'max', 'mean', 'NaN, Inf'], rows);
}
