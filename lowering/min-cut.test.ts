import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MinCut } from './min-cut.js';

test('the cheapest cut of random networks, against all cuts', () => {
  const edge = fc.record({ from: fc.nat(6), to: fc.nat(6), cost: fc.integer({ min: 1, max: 9 }) });
  fc.assert(
    fc.property(fc.array(edge, { maxLength: 20 }), (edges) => {
      const cut = new MinCut();
      for (let i = 2; i < 7; i++) cut.node();
      for (const { from, to, cost } of edges) cut.edge(from, to, cost);
      const costOf = (inside: (v: number) => boolean): number =>
        edges.reduce((sum, e) => sum + (inside(e.from) && !inside(e.to) ? e.cost : 0), 0);
      const side = cut.solve();
      const all = Array.from({ length: 32 }, (_, mask) =>
        costOf((v) => v === cut.source || (v !== cut.sink && ((mask >> (v - 2)) & 1) === 1)),
      );
      expect(side.has(cut.source) && !side.has(cut.sink)).toBe(true);
      expect(costOf((v) => side.has(v))).toBe(Math.min(...all));
    }),
    { numRuns: 500 },
  );
});
