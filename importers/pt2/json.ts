import { CompileError } from '../../src/support/diagnostic.js';

/** JSON as PyTorch writes it. Integers beyond 2^53, NaN and infinities are strings that begin with "#". */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

// Strings are matched so that what looks like a number inside them stays.
const tokens = /"(?:[^"\\]|\\.)*"|(?<![\w.])-?\d{16,}(?![\d.eE])|NaN|-?Infinity/g;
const deepest = 200;

/** Parses JSON without losing integers; the bare NaN and Infinity of older files are taken. */
export function parseJson(text: string, what: string): Json {
  checkDepth(text, what);
  try {
    return JSON.parse(text.replace(tokens, (t) => (t.startsWith('"') ? t : `"#${t}"`))) as Json;
  } catch (cause) {
    throw new CompileError('bad-json', `${what} is no valid JSON: ${(cause as Error).message}`);
  }
}

function checkDepth(text: string, what: string): void {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (quoted) {
      if (c === 0x5c) i++;
      else if (c === 0x22) quoted = false;
    } else if (c === 0x22) quoted = true;
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > deepest)
        throw new CompileError('bad-json', `${what} is nested more than ${deepest} levels deep`);
    } else if (c === 0x7d || c === 0x5d) depth--;
  }
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
  return /^(-?Infinity|NaN|-?\d+)$/.test(text) ? Number(text) : undefined;
}

export const isObject = (value: Json | undefined): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isArray = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);
