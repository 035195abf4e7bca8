import type { Options } from 'yargs';
import type { Command } from '../../src/cli/command.js';
import { commands } from '../../src/cli/parse.js';

/** Every command with its examples and options, as `--help` has them. */
export const commandReference = (): string => commands.map(section).join('\n\n');

function section(command: Command): string {
  const usage = `ait-convert ${command.usage.replace('$0 ', '')}`;
  const examples = command.examples.map(
    ([line, meaning]) => [line.replace('$0', 'ait-convert'), meaning] as const,
  );
  const width = Math.max(0, ...examples.map(([line]) => line.length));
  const shown = examples.map(([line, meaning]) => `${line.padEnd(width)}  # ${meaning}`);
  return [
    `### \`${usage}\``,
    '',
    `${sentence(command.describe)}.`,
    ...(shown.length === 0 ? [] : ['', '```sh', ...shown, '```']),
    '',
    '| option | meaning |',
    '|---|---|',
    ...Object.entries(command.options).map(row),
  ].join('\n');
}

function row([name, option]: readonly [string, Options]): string {
  const names = [name, ...[option.alias ?? []].flat()].map((n) => `\`${n.length === 1 ? '-' : '--'}${n}\``);
  const about = [
    option.describe ?? '',
    ...(option.choices === undefined ? [] : [`one of ${option.choices.map((c) => `\`${c}\``).join(', ')}`]),
    ...(option.defaultDescription === undefined ? [] : [`default ${option.defaultDescription}`]),
    ...(option.array === true ? ['may be repeated'] : []),
  ];
  return `| ${names.join(', ')} | ${about.join('; ').replaceAll('|', '\\|')} |`;
}

const sentence = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);
