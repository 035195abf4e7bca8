import { CompileError } from '../src/support/diagnostic.js';

/** `--name value` and `--flag` of a script's command line, and what stands by itself. */
export function scriptArguments<N extends string, F extends string = never>(
  names: readonly N[],
  flags: readonly F[] = [],
  argv: readonly string[] = process.argv.slice(2),
): {
  readonly options: Readonly<Partial<Record<N, string>>>;
  readonly flags: ReadonlySet<F>;
  readonly rest: readonly string[];
} {
  const options: Partial<Record<N, string>> = {};
  const given = new Set<F>();
  const rest: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    const name = names.find((n) => word === `--${n}`);
    const flag = flags.find((f) => word === `--${f}`);
    if (name !== undefined) {
      const value = argv[++i];
      if (value === undefined) throw new CompileError('bad-option', `${word} needs a value`);
      options[name] = value;
    } else if (flag !== undefined) given.add(flag);
    else if (word.startsWith('--'))
      throw new CompileError(
        'bad-option',
        `there is no option ${word}`,
        `there are ${[...names, ...flags].map((n) => `--${n}`).join(', ')}`,
      );
    else rest.push(word);
  }
  return { options, flags: given, rest };
}
