import { isArray, isObject, type Json, parseJson } from '../pt2/json.js';

/** A condition on the sizes of inputs: see src/artifact/guards.ts, which evaluates it when a model runs. */
export type Condition =
  | number
  | { readonly input: string; readonly axis?: number }
  | { readonly fn: string; readonly args: readonly Condition[] };

export interface Guard {
  readonly text: string;
  readonly condition: Condition;
}

/** Names of inputs by the Python expression that guards have for them. */
export type Places = ReadonlyMap<string, string>;

const token =
  /\s*(?:(\d+)|(L(?:\[(?:'(?:[^'\\]|\\.)*'|\d+)\])+)(?:\.size\(\)\[(\d+)\])?|(and|or|not|True|False|min|max|Min|Max)\b|(==|!=|<=|>=|\*\*|\/\/|[-+*/%()<>,]))/y;

const levels: readonly (readonly [text: string, fn: string][])[] = [
  [['or', 'or']],
  [['and', 'and']],
  [
    ['==', 'eq'],
    ['!=', 'ne'],
    ['<=', 'le'],
    ['>=', 'ge'],
    ['<', 'lt'],
    ['>', 'gt'],
  ],
  [
    ['+', 'add'],
    ['-', 'sub'],
  ],
  [
    ['*', 'mul'],
    ['//', 'floordiv'],
    ['/', 'truediv'],
    ['%', 'mod'],
  ],
];

const call = (fn: string, ...args: readonly Condition[]): Condition => ({ fn, args });

const longest = 4000;
const mostTokens = 400;
const deepest = 60;

/** A guard, written in Python, or undefined when it speaks of more than sizes. */
export function guardOf(code: string, places: Places): Guard | undefined {
  const tokens = tokensOf(code, places);
  if (!tokens) return undefined;
  let at = 0;
  let depth = 0;
  class Unknown extends Error {}
  const take = (text: string): boolean => {
    const is = tokens[at]?.text === text;
    if (is) at++;
    return is;
  };
  const level = (n: number): Condition => {
    if (++depth > deepest) throw new Unknown();
    const signs = levels[n];
    let left = signs ? level(n + 1) : unary();
    for (;;) {
      const sign = signs?.find(([text]) => tokens[at]?.text === text);
      if (!sign) break;
      at++;
      left = call(sign[1], left, level(n + 1));
    }
    depth--;
    return left;
  };
  const unary = (): Condition => {
    if (take('-')) return call('sub', 0, unary());
    if (take('not')) return call('not', level(2));
    const base = atom();
    return take('**') ? call('pow', base, unary()) : base;
  };
  const atom = (): Condition => {
    const t = tokens[at++];
    if (t?.value !== undefined) return t.value;
    if (t?.text === '(') return closed(level(0));
    const fn = t?.text.toLowerCase();
    if ((fn === 'min' || fn === 'max') && take('(')) {
      let value = level(0);
      while (take(',')) value = call(fn, value, level(0));
      return closed(value);
    }
    throw new Unknown();
  };
  const closed = (value: Condition): Condition => {
    if (!take(')')) throw new Unknown();
    return value;
  };
  try {
    const condition = level(0);
    return at === tokens.length ? { text: readable(tokens), condition } : undefined;
  } catch (e) {
    if (e instanceof Unknown) return undefined;
    throw e;
  }
}

interface Token {
  readonly text: string;
  readonly value?: Condition;
}

function tokensOf(code: string, places: Places): readonly Token[] | undefined {
  if (code.length > longest) return undefined;
  const tokens: Token[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < code.trimEnd().length) {
    const found = token.exec(code);
    if (!found || tokens.length >= mostTokens) return undefined;
    const [, number, place, axis, word, sign] = found;
    if (number !== undefined) tokens.push({ text: number, value: Number(number) });
    else if (place !== undefined) {
      const input = places.get(place.replaceAll('"', "'"));
      if (input === undefined) return undefined;
      tokens.push(
        axis === undefined
          ? { text: input, value: { input } }
          : { text: `${input}.shape[${axis}]`, value: { input, axis: Number(axis) } },
      );
    } else if (word === 'True' || word === 'False')
      tokens.push({ text: word, value: Number(word === 'True') });
    else tokens.push({ text: (word ?? sign)! });
  }
  return tokens;
}

const readable = (tokens: readonly Token[]): string =>
  tokens
    .map((t) => t.text)
    .join(' ')
    .replace(/\( /g, '(')
    .replace(/ \)/g, ')')
    .replace(/ ,/g, ',')
    .replace(/^\((.*)\)( [=!<>]+ \d+)$/, '$1$2');

/** The expressions of the leaves of a program's arguments, in the order of the inputs. */
export function placesOf(callGraph: Json | undefined): readonly string[] {
  const [first] = isArray(callGraph) ? callGraph : [];
  const signature = isObject(first) && isObject(first.signature) ? first.signature : {};
  const names = isArray(signature.forward_arg_names) ? signature.forward_arg_names.map(String) : [];
  const text = signature.in_spec;
  const parsed = typeof text === 'string' ? parseJson(text, 'the structure of the arguments') : undefined;
  const root = isArray(parsed) ? parsed[1] : undefined;
  const [positional, named] = childrenOf(root);
  const own = childrenOf(positional).flatMap((child, i) => leaves(child, `L['${names[i] ?? `args_${i}`}']`));
  const keys = keysOf(named);
  return [...own, ...childrenOf(named).flatMap((child, i) => leaves(child, `L['${keys[i] ?? ''}']`))];
}

const childrenOf = (spec: Json | undefined): readonly Json[] =>
  isObject(spec) && isArray(spec.children_spec) ? spec.children_spec : [];

function keysOf(spec: Json | undefined): readonly string[] {
  const context = isObject(spec) && typeof spec.context === 'string' ? spec.context : 'null';
  const parsed = parseJson(context, 'the structure of the arguments');
  return isArray(parsed) ? parsed.map(String) : [];
}

function leaves(spec: Json, place: string): readonly string[] {
  if (!isObject(spec) || spec.type === null || spec.type === undefined) return [place];
  const keys = spec.type === 'builtins.dict' ? keysOf(spec) : [];
  return childrenOf(spec).flatMap((child, i) =>
    leaves(child, `${place}[${keys[i] === undefined ? i : `'${keys[i]}'`}]`),
  );
}
