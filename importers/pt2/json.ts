import { CompileError } from '../../src/support/diagnostic.js';

/** JSON as PyTorch writes it. Integers beyond 2^53, NaN and infinities are strings that begin with "#". */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const deepest = 200;
const [quote, backslash, minus, dot] = [0x22, 0x5c, 0x2d, 0x2e];

/**
 * Parses JSON without losing integers; the bare NaN and Infinity of older files are taken. With `floats`, numbers that
 * are written as floats stay apart from integers: `1.0` is the string "#1.0".
 */
export function parseJson(text: string, what: string, floats = false): Json {
  try {
    return JSON.parse(quoted(text, what, floats)) as Json;
  } catch (cause) {
    if (cause instanceof CompileError) throw cause;
    throw new CompileError('bad-json', `${what} is no valid JSON: ${(cause as Error).message}`);
  }
}

const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39;
const isWordy = (c: number): boolean => isDigit(c) || c === dot || c === 0x5f || ((c | 32) - 0x61) >>> 0 < 26;

/** The text with what JSON.parse would lose as strings: integers of 16 digits and more, NaN and infinities. */
function quoted(text: string, what: string, floats: boolean): string {
  const parts: string[] = [];
  let kept = 0;
  let depth = 0;
  const wrap = (from: number, to: number): void => {
    parts.push(text.slice(kept, from), '"#', text.slice(from, to), '"');
    kept = to;
  };
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === quote) i = endOfString(text, i);
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > deepest)
        throw new CompileError('bad-json', `${what} is nested more than ${deepest} levels deep`);
    } else if (c === 0x7d || c === 0x5d) depth--;
    else if (isWordy(c) || c === minus) {
      const from = i;
      let whole = c === minus || isDigit(c);
      while (i + 1 < text.length) {
        const next = text.charCodeAt(i + 1);
        // A sign inside a word is that of an exponent.
        if (!isWordy(next) && next !== minus && next !== 0x2b) break;
        whole &&= isDigit(next);
        i++;
      }
      const word = (): string => text.slice(from, i + 1);
      const lost = whole
        ? i + 1 - from - Number(c === minus) >= 16
        : /^(NaN|-?Infinity)$/.test(word()) || (floats && /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(word()));
      if (lost) wrap(from, i + 1);
    }
  }
  return parts.length === 0 ? text : parts.join('') + text.slice(kept);
}

/** Where the string that begins at a quote ends. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === backslash) slashes++;
    if (slashes % 2 === 0) return at;
  }
  return text.length;
}

/** An integer, exact whatever its size. */
export function integer(value: Json | undefined): bigint | undefined {
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  return typeof value === 'string' && /^#-?\d+$/.test(value) ? BigInt(value.slice(1)) : undefined;
}

/** A float; infinities and NaN are written as text. */
export function float(value: Json | undefined): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return undefined;
  const text = value.replace(/^#/, '');
  return /^(-?Infinity|NaN|-?\d+(\.\d+)?([eE][-+]?\d+)?)$/.test(text) ? Number(text) : undefined;
}

export const isObject = (value: Json | undefined): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isArray = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);
