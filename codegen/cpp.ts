import { createHash } from 'node:crypto';
import { type Call, type Dim, show } from '../src/ir/dim.js';
import type { DType } from '../src/ir/type.js';

/** A piece of C++ text. A plain string is not one, so a model's names cannot leak into source by accident. */
export class Cpp {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text;
  }
}

export type Hole = Cpp | number | bigint | readonly Cpp[] | false | undefined;

const drop = '\u0000';

/**
 * C++ source. Strips common indentation, indents a multi-line hole to its column, and drops a line
 * whose only content was an empty hole, so templates read like the code they produce.
 */
export function cpp(parts: TemplateStringsArray, ...holes: readonly Hole[]): Cpp {
  let out = '';
  parts.forEach((part, i) => {
    out += part;
    if (i === holes.length) return;
    const text = render(holes[i]);
    const column = /^\s*/.exec(out.slice(out.lastIndexOf('\n') + 1))![0];
    out += text === '' ? drop : text.split('\n').join(`\n${column}`);
  });
  const lines = out.split('\n').filter((l) => !(l.includes(drop) && l.replaceAll(drop, '').trim() === ''));
  if (lines[0]?.trim() === '') lines.shift();
  if (lines.at(-1)?.trim() === '') lines.pop();
  const margin = Math.min(...lines.filter((l) => l.trim()).map((l) => /^ */.exec(l)![0].length));
  return new Cpp(lines.map((l) => l.slice(margin).replaceAll(drop, '').trimEnd()).join('\n'));
}

function render(hole: Hole): string {
  if (hole === false || hole === undefined) return '';
  if (Array.isArray(hole)) return hole.map(String).join('\n');
  if (typeof hole === 'number' && !Number.isSafeInteger(hole))
    throw new TypeError(`${hole} is not an integer; use number()`);
  return String(hole);
}

export const join = (pieces: readonly Cpp[], separator: string): Cpp =>
  new Cpp(pieces.map(String).join(separator));

/** A string literal that cannot end early, whatever the text. */
export const str = (s: string): Cpp =>
  new Cpp(
    `"${[...Buffer.from(s, 'utf8')]
      .map((c) =>
        c >= 32 && c < 127 && c !== 34 && c !== 92 && c !== 63
          ? String.fromCharCode(c)
          : `\\${c.toString(8).padStart(3, '0')}`,
      )
      .join('')}"`,
  );

/** A comment: one line, nothing that could end it or continue it. */
export const comment = (s: string): Cpp =>
  new Cpp(`// ${s.replace(/[^\x20-\x7e]|\\|\?\?/g, '_').slice(0, 100)}`.trimEnd());

export const shortHash = (s: string): string => createHash('sha256').update(s).digest('hex').slice(0, 10);

/** How generated code spells element types. */
export const ctype: Readonly<Record<DType, Cpp>> = Object.fromEntries(
  Object.entries({
    f64: 'double',
    f32: 'float',
    f16: 'ait::half',
    bf16: 'ait::bf16',
    f8e4m3fn: 'ait::f8e4m3fn',
    f8e4m3fnuz: 'ait::f8e4m3fnuz',
    f8e5m2: 'ait::f8e5m2',
    f8e5m2fnuz: 'ait::f8e5m2fnuz',
    f8e8m0: 'ait::f8e8m0',
    f4e2m1: 'uint8_t',
    i64: 'int64_t',
    i32: 'int32_t',
    i16: 'int16_t',
    i8: 'int8_t',
    i4: 'uint8_t',
    i2: 'uint8_t',
    u64: 'uint64_t',
    u32: 'uint32_t',
    u16: 'uint16_t',
    u8: 'uint8_t',
    u4: 'uint8_t',
    u2: 'uint8_t',
    bool: 'bool',
    c64: 'ait::complex64',
    c128: 'ait::complex128',
    string: 'void',
  }).map(([k, v]) => [k, new Cpp(v)]),
) as Record<DType, Cpp>;

/** A floating-point literal that reads back exactly. */
export function number(x: number, dtype: DType = 'f32'): Cpp {
  const suffix = dtype === 'f64' ? '' : 'f';
  const type = dtype === 'f64' ? 'double' : 'float';
  if (Number.isNaN(x)) return new Cpp(`std::numeric_limits<${type}>::quiet_NaN()`);
  if (!Number.isFinite(x)) return new Cpp(`${x < 0 ? '-' : ''}std::numeric_limits<${type}>::infinity()`);
  const text = Object.is(x, -0) ? '-0' : String(x);
  return new Cpp(/[.e]/.test(text) ? text + suffix : `${text}.0${suffix}`);
}

export function integer(x: bigint | number, dtype: DType): Cpp {
  const v = BigInt(x);
  if (dtype === 'i64') return new Cpp(v === -(2n ** 63n) ? 'INT64_MIN' : `INT64_C(${v})`);
  if (dtype === 'u64') return new Cpp(`UINT64_C(${v})`);
  if (dtype === 'bool') return new Cpp(v ? 'true' : 'false');
  return new Cpp(v === -(2n ** 31n) ? 'INT32_MIN' : `${ctype[dtype]}(${v})`);
}

/**
 * A dim as a C++ expression over int64_t variables. `name` gives the variable of a symbol; `call`, when
 * given, that of an integer function of other dims.
 */
export function dimText(
  d: Dim,
  name: (symbol: string) => Cpp,
  call: (atom: Call) => Cpp = (atom) => callText(atom, name),
): Cpp {
  if (typeof d === 'number') return new Cpp(Math.abs(d) > 2 ** 31 - 1 ? `INT64_C(${d})` : String(d));
  const terms = d.terms.map(({ coef, atoms }) => {
    const factors = atoms.map((a) => (a.kind === 'symbol' ? name(a.key) : call(a)).text);
    if (factors.length === 0) return String(coef);
    return coef === 1 ? factors.join(' * ') : [String(coef), ...factors].join(' * ');
  });
  const text = terms.join(' + ').replaceAll('+ -', '- ');
  return new Cpp(d.terms.length > 1 ? `(${text})` : text);
}

/** An integer function of dims, spelt as run.h names it. */
export function callText({ fn, args }: Call, name: (symbol: string) => Cpp, call?: (atom: Call) => Cpp): Cpp {
  const texts = args.map((a) =>
    typeof a === 'number' ? `int64_t{${show(a)}}` : dimText(a, name, call).text,
  );
  return new Cpp(`ait::dim_${fn}(${texts.join(', ')})`);
}
