import { type Command, json, wantsJson } from './command.js';
import { common } from './options.js';
import { clean, table } from './terminal.js';

export const doctorCommand: Command = {
  usage: 'doctor',
  describe: 'what a conversion needs of this machine, and what is missing',
  positional: undefined,
  options: common,
  examples: [],
  async run(given, { style, print }) {
    const { doctor } = await import('../doctor.js');
    const checks = await doctor();
    const missing = checks.some((c) => c.state === 'missing');
    if (wantsJson(given)) print(json({ ready: !missing, checks }));
    else {
      const mark = {
        good: style.good('✓'),
        poor: style.warn('!'),
        missing: style.bad('✗'),
        absent: style.dim('–'),
      };
      const rows = checks.flatMap((c) => [
        [mark[c.state], style.dim(c.name), clean(c.found)],
        ...(c.remedy === undefined ? [] : [['', '', `${style.bold('→')} ${c.remedy}`]]),
      ]);
      const verdict = missing ? style.bad('not ready') : style.good('ready');
      print([...table('lll', rows), '', `  ${verdict}`]);
    }
    return missing ? 3 : 0;
  },
};
