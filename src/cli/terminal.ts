import { env } from '../support/env.js';

/** Marks for a terminal; each is the identity where colours are not wanted. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly accent: (text: string) => string;
}

type Stream = { readonly isTTY?: boolean | undefined };

/** Colours only on a terminal, and not where NO_COLOR asks for none. */
export function styleFor(stream: Stream): Style {
  const coloured = stream.isTTY === true && env('NO_COLOR') === undefined;
  const mark = (on: number, off: number) => (text: string) =>
    coloured && text !== '' ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  return {
    bold: mark(1, 22),
    dim: mark(2, 22),
    bad: mark(31, 39),
    good: mark(32, 39),
    warn: mark(33, 39),
    accent: mark(36, 39),
  };
}

/** Names from a model may hold anything, control sequences and changes of direction included. */
export const clean = (text: string): string => text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '?');

/** Like `clean`, shortened in the middle, where long names differ least. */
export function short(text: string, width = 48): string {
  const letters = [...clean(text)];
  if (letters.length <= width) return letters.join('');
  const head = Math.ceil((width - 1) / 2);
  return `${letters.slice(0, head).join('')}…${letters.slice(letters.length - (width - 1 - head)).join('')}`;
}

const sequences = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/gu;

/** Columns that a text takes. */
export function widthOf(text: string): number {
  const plain = text.replace(sequences, '').replace(/\p{Mn}/gu, '');
  return [...plain].length + (plain.match(wide)?.length ?? 0);
}

/** One letter a column: `l` left, `r` right. */
export type Columns = string;

/** Rows as aligned lines. The last column is not padded. */
export function table(columns: Columns, rows: readonly (readonly string[])[], indent = 2): readonly string[] {
  const widths = [...columns].map((_, i) => Math.max(0, ...rows.map((r) => widthOf(r[i] ?? ''))));
  return rows.map((row) => {
    const cells = row.map((cell, i) => {
      const gap = ' '.repeat(Math.max(0, widths[i]! - widthOf(cell)));
      return columns[i] === 'r' ? gap + cell : cell + gap;
    });
    return (' '.repeat(indent) + cells.join('  ')).trimEnd();
  });
}

/** A table whose first row are headings. */
export function headed(
  style: Style,
  columns: Columns,
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  indent = 2,
): readonly string[] {
  return table(columns, [headings.map(style.dim), ...rows], indent);
}

/** Breaks a sentence into lines of at most `width` columns. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;
