import { CompileError } from '../../src/support/diagnostic.js';

/** The model's structure is broken: no fallback can run it either, so the import ends. */
export class Malformed extends CompileError {}

/** The names most like one that does not exist, for a hint. */
export function closest(name: string, known: Iterable<string>, count = 3): readonly string[] {
  const limit = Math.max(2, Math.floor(name.length / 3));
  const near: { readonly name: string; readonly distance: number }[] = [];
  let budget = 2000;
  for (const other of known) {
    if (budget-- === 0) break;
    if (other === '' || Math.abs(other.length - name.length) > limit) continue;
    const distance = editDistance(name, other);
    if (distance <= limit) near.push({ name: other, distance });
  }
  return near
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map((n) => n.name);
}

export function didYouMean(name: string, known: Iterable<string>): string | undefined {
  const names = closest(name, known).map((n) => JSON.stringify(n));
  return names.length === 0 ? undefined : `the closest names are ${names.join(', ')}`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
