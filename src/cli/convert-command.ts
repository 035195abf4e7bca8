import { CompileError } from '../support/diagnostic.js';
import { type Command, conversionOptions, json, wantsJson } from './command.js';
import { common, flag, output, partition, target, text, threads } from './options.js';
import { summary } from './summary.js';

export const convertCommand: Command = {
  usage: '$0 <model>',
  describe: 'compile a model into an engine directory',
  positional: { name: 'model', describe: 'an ONNX model or a PyTorch export' },
  options: {
    output,
    force: { type: 'boolean', describe: 'replace an engine directory that is there already' },
    ...target,
    ...partition,
    'require-full-compilation': { type: 'boolean', describe: 'a node left to onnxruntime is an error' },
    'no-verify': { type: 'boolean', describe: 'do not compare the result with onnxruntime' },
    seed: {
      type: 'string',
      requiresArg: true,
      describe: 'seed of the inputs compared on',
      defaultDescription: '0',
    },
    ...threads,
    'dry-run': { type: 'boolean', describe: 'stop after the report of what would compile; writes nothing' },
    ...common,
  },
  examples: [
    ['$0 model.onnx -o engine/', 'compile for this machine'],
    ['$0 model.onnx --dry-run', 'what would compile, and why not the rest'],
    ['$0 model.onnx -o engine/ --arch x86-64-v3 --dim batch=1..32', 'for other machines, any batch up to 32'],
  ],
  async run(given, io) {
    const directory = text(given, 'output');
    const dryRun = flag(given, 'dry-run');
    if (directory === undefined && !dryRun)
      throw new CompileError(
        'bad-option',
        'no output directory was given',
        'name one with -o engine/, or pass --dry-run to see what would compile',
      );
    const options = {
      ...conversionOptions(given, io),
      output: directory,
      force: flag(given, 'force'),
      requireFullCompilation: flag(given, 'require-full-compilation'),
      verify: !flag(given, 'no-verify'),
      dryRun,
    };
    const { convert } = await import('../compile.js');
    const { reportOf } = await import('../report-of.js');
    const conversion = await convert(text(given, 'model')!, options);
    const report = reportOf(conversion, options);
    const written = dryRun ? undefined : directory;
    if (wantsJson(given))
      io.print(json({ ...report, ...(written === undefined ? {} : { directory: written }) }));
    else
      io.print(['', ...summary(report, io.style, { verbose: flag(given, 'verbose'), directory: written })]);
    return conversion.accuracy?.some((a) => !a.comparison.pass) ? 1 : 0;
  },
};
