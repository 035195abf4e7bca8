import { dtypeOf } from '../ir/graph.js';
import type { Literal } from '../ir/literal.js';
import { literalOf } from '../ir/literal.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { floats, int, ints, text } from './onnx-emitter.js';
import { defineOp, type OpDef, type SourceNode } from './op.js';

/** The n-grams of one length, sorted, and the column each counts in. */
export type Grams = {
  readonly length: number;
  readonly items: Literal;
  readonly columns: Literal;
};

/** How often n-grams occur in rows of numbers, items up to `skips` places further apart counted too. */
export const tfidf: OpDef<{
  grams: readonly Grams[];
  columns: number;
  skips: number;
  mode: 'TF' | 'IDF' | 'TFIDF';
  weights: readonly number[];
}> = defineOp({
  name: 'tfidf',
  infer: ([x], { columns }) => {
    if (x!.shape.length > 2)
      throw new CompileError('bad-rank', 'n-grams are counted in vectors and matrices');
    return tensor('f32', [...x!.shape.slice(0, -1), columns]);
  },
  onnx: {
    TfIdfVectorizer: {
      9: (n, b) => {
        const x = n.input(0);
        if (dtypeOf(x) !== 'i32' && dtypeOf(x) !== 'i64') n.decline('n-grams of texts');
        const indexes = n.ints('ngram_indexes');
        const mode = n.string('mode');
        if (mode !== 'TF' && mode !== 'IDF' && mode !== 'TFIDF')
          return n.decline(`there is no mode "${mode}"`);
        const weights = n.floats('weights', []);
        const columns = Math.max(...indexes) + 1;
        return b(tfidf, [x], {
          grams: gramsOf(n, indexes),
          columns,
          skips: n.int('max_skip_count'),
          mode,
          weights: mode === 'TF' || weights.length < columns ? [] : weights.slice(0, columns),
        });
      },
    },
  },
  toOnnx: ({ attrs: a }, [x], e) => {
    const lengths = a.grams.map((g) => g.length);
    const pool = a.grams.flatMap((g) => g.items.numbers());
    const longest = Math.max(1, ...lengths);
    const starts = Array.from({ length: longest }, (_, i) =>
      a.grams.filter((g) => g.length <= i).reduce((sum, g) => sum + g.items.size, 0),
    );
    return e.one('TfIdfVectorizer', [x], {
      min_gram_length: int(Math.min(longest, ...lengths)),
      max_gram_length: int(longest),
      max_skip_count: int(a.skips),
      mode: text(a.mode),
      ngram_counts: ints(starts),
      ngram_indexes: ints(a.grams.flatMap((g) => g.columns.numbers())),
      pool_int64s: ints(pool),
      ...(a.weights.length > 0 ? { weights: floats(a.weights) } : {}),
    });
  },
});

function gramsOf(n: SourceNode, indexes: readonly number[]): readonly Grams[] {
  const pool = n.ints('pool_int64s');
  const starts = n.ints('ngram_counts');
  const [shortest, longest] = [n.int('min_gram_length'), n.int('max_gram_length')];
  let next = 0;
  return starts.flatMap((start, i) => {
    const length = i + 1;
    const count = Math.floor(((starts[i + 1] ?? pool.length) - start) / length);
    const grams = Array.from({ length: count }, (_, g) => ({
      items: pool.slice(start + g * length, start + (g + 1) * length),
      column: indexes[next + g] ?? n.decline('an n-gram has no index'),
    }));
    next += count;
    if (count === 0 || length < shortest || length > longest) return [];
    grams.sort((p, q) => compare(p.items, q.items));
    return [
      {
        length,
        items: literalOf(
          'i64',
          [count * length],
          grams.flatMap((g) => g.items),
        ),
        columns: literalOf(
          'i64',
          [count],
          grams.map((g) => g.column),
        ),
      },
    ];
  });
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((x, i) => x !== b[i]);
  return at < 0 ? 0 : a[at]! - b[at]!;
}
