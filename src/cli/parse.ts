import { existsSync } from 'node:fs';
import yargs, { type Argv } from 'yargs';
import { closest } from '../../importers/onnx/malformed.js';
import { CompileError } from '../support/diagnostic.js';
import { toolVersion } from '../version.js';
import { benchCommand } from './bench-command.js';
import type { Command } from './command.js';
import { convertCommand } from './convert-command.js';
import { diffCommand } from './diff-command.js';
import { doctorCommand } from './doctor-command.js';
import { exitCodes } from './exit-codes.js';
import { exportCommand } from './export-command.js';
import { inspectCommand } from './inspect-command.js';
import type { Given } from './options.js';
import { runCommand } from './run-command.js';

// What a command does is loaded when it runs: help and mistakes need none of it.
export const commands: readonly Command[] = [
  convertCommand,
  runCommand,
  diffCommand,
  benchCommand,
  inspectCommand,
  exportCommand,
  doctorCommand,
];

const nameOf = ({ usage }: Command): string => usage.split(' ')[0]!;

export interface Chosen {
  readonly command: Command;
  readonly given: Given;
}

/**
 * The command and its options. Undefined when help or the version was asked for, which has then been printed.
 * Throws `bad-option`, with what was probably meant.
 */
export async function parse(args: readonly string[]): Promise<Chosen | undefined> {
  refuseMisspelt(args[0]);
  let chosen: Chosen | undefined;
  const parser = commands
    .reduce(
      (y, command) =>
        y.command(
          command.usage,
          command.describe,
          (own) => build(own, command),
          (given) => {
            chosen = { command, given };
          },
        ),
      settings(args),
    )
    .fail((message: string, error: Error | undefined) => {
      throw error ?? explained(message, args);
    });
  try {
    await parser.parseAsync();
  } catch (e) {
    // What the tokenizer refuses does not pass through `fail`.
    throw e instanceof Error && e.name === 'YError' ? explained(e.message, args) : e;
  }
  if (chosen !== undefined) refuseRepeated(chosen);
  return chosen;
}

function settings(args: readonly string[]): Argv {
  const y = yargs([...args]);
  const codes = Object.entries(exitCodes).map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`);
  return y
    .scriptName('ait-convert')
    .locale('en')
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .exitProcess(false)
    .strict()
    .recommendCommands()
    .help()
    .alias('help', 'h')
    .version(toolVersion)
    .wrap(Math.min(100, y.terminalWidth()))
    .epilogue(`Exit codes:\n${codes.join('\n')}`) as Argv;
}

function build(y: Argv, { positional, options, examples }: Command): Argv {
  if (positional !== undefined)
    y.positional(positional.name, { type: 'string', describe: positional.describe, demandOption: true });
  for (const [name, option] of Object.entries(options)) y.option(name, option);
  return y.example([...examples.map(([command, meaning]): [string, string] => [command, meaning])]);
}

const commandOf = (args: readonly string[]): Command =>
  commands.find((c) => nameOf(c) === args[0]) ?? convertCommand;

/** Options that take one value, and were given several. */
function refuseRepeated({ command, given }: Chosen): void {
  for (const [name, option] of Object.entries(command.options))
    if (option.array !== true && Array.isArray(given[name]))
      throw new CompileError('bad-option', `--${name} is given more than once`);
}

/** A word that is no file and nearly a command. */
function refuseMisspelt(word: string | undefined): void {
  const names = commands.map(nameOf).filter((name) => name !== '$0');
  if (word === undefined || word.startsWith('-') || names.includes(word) || existsSync(word)) return;
  const meant = closest(word, names, 1)[0];
  if (meant !== undefined)
    throw new CompileError('bad-option', `there is no command or file "${word}"`, `did you mean "${meant}"?`);
}

function explained(message: string, args: readonly string[]): CompileError {
  const command = commandOf(args);
  const help = `ait-convert ${nameOf(command) === '$0' ? '' : `${nameOf(command)} `}--help lists the options`;
  const unknown = /^Unknown arguments?: (.*)$/s.exec(message)?.[1];
  if (unknown === undefined) {
    const lacking = /^Not enough non-option arguments/.test(message) ? command.positional : undefined;
    const text = lacking === undefined ? sentence(message) : `${lacking.describe} must be named`;
    return new CompileError('bad-option', text, help);
  }
  const first = unknown.split(', ')[0]!;
  if (args.includes(first))
    return new CompileError('bad-option', `there is one argument too many, ${JSON.stringify(first)}`, help);
  const names = Object.entries(command.options).flatMap(([name, o]) => [name, ...[o.alias ?? []].flat()]);
  const meant = closest(first, names, 1)[0];
  const shown = `${first.length === 1 ? '-' : '--'}${first}`;
  return new CompileError(
    'bad-option',
    `${shown} is not known here`,
    meant === undefined ? help : `did you mean --${meant}?`,
  );
}

/** Messages of the parser as one sentence. */
function sentence(message: string): string {
  const lacksValue = /^Not enough arguments following: (.*)$/.exec(message)?.[1];
  if (lacksValue !== undefined) return `${lacksValue.length === 1 ? '-' : '--'}${lacksValue} needs a value`;
  const choice = /Argument: (\S+), Given: (.*), Choices: (.*)/.exec(message);
  if (choice !== null) return `--${choice[1]} ${choice[2]} is none of: ${choice[3]}`;
  const implied = /(\S+) -> (\S+)/.exec(message);
  if (implied !== null) return `--${implied[1]} needs --${implied[2]}`;
  return message
    .trim()
    .split(/\s*\n\s*/)
    .join(' ');
}
