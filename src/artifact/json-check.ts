import { CompileError } from '../support/diagnostic.js';

/** Turns a value of JSON into what the program expects, or throws naming the place where it differs. */
export type Check<T> = (value: unknown, where: string) => T;

function differs(where: string, wanted: string, value: unknown): CompileError {
  const found = JSON.stringify(value) ?? 'nothing';
  return new CompileError(
    'bad-manifest',
    `${where} is ${found.length > 60 ? `${found.slice(0, 60)}…` : found}, expected ${wanted}`,
    'the engine directory is damaged; convert the model again',
  );
}

export const text: Check<string> = (value, where) => {
  if (typeof value !== 'string') throw differs(where, 'a text', value);
  return value;
};

export const number: Check<number> = (value, where) => {
  // JSON has no infinities; measurements that were not finite are written as texts.
  const parsed = typeof value === 'string' && /^(NaN|-?Infinity)$/.test(value) ? Number(value) : value;
  if (typeof parsed !== 'number') throw differs(where, 'a number', value);
  return parsed;
};

export const count: Check<number> = (value, where) => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw differs(where, 'a whole number', value);
  return value;
};

export const flag: Check<boolean> = (value, where) => {
  if (typeof value !== 'boolean') throw differs(where, 'true or false', value);
  return value;
};

export function oneOf<const T extends string | number>(...values: readonly T[]): Check<T> {
  return (value, where) => {
    const found = values.find((v) => v === value);
    if (found === undefined) throw differs(where, values.map((v) => JSON.stringify(v)).join(' or '), value);
    return found;
  };
}

export function listOf<T>(item: Check<T>): Check<readonly T[]> {
  return (value, where) => {
    if (!Array.isArray(value)) throw differs(where, 'a list', value);
    return value.map((v, i) => item(v, `${where}[${i}]`));
  };
}

export function either<A, B>(first: Check<A>, isFirst: (value: unknown) => boolean, second: Check<B>) {
  return (value: unknown, where: string): A | B =>
    isFirst(value) ? first(value, where) : second(value, where);
}

type Optional<T> = { [K in keyof T]-?: undefined extends T[K] ? K : never }[keyof T];

/** An object with these members. Further members are left out, so that newer writers may add some. */
export function record<T extends object>(
  members: { readonly [K in Exclude<keyof T, Optional<T>>]: Check<T[K]> },
  optional: { readonly [K in Optional<T>]: Check<Exclude<T[K], undefined>> },
): Check<T> {
  const required = Object.entries(members) as [string, Check<unknown>][];
  const others = Object.entries(optional) as [string, Check<unknown>][];
  return (value, where) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw differs(where, 'an object', value);
    const given = value as Readonly<Record<string, unknown>>;
    const place = (key: string) => (where === '' ? key : `${where}.${key}`);
    const taken = required.map(([key, check]) => [key, check(given[key], place(key))]);
    for (const [key, check] of others)
      if (given[key] !== undefined) taken.push([key, check(given[key], place(key))]);
    return Object.fromEntries(taken) as T;
  };
}
