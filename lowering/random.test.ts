import { afterAll, expect, test } from 'vitest';
import { sameMeaning } from '../scripts/meaning.js';
import { evaluateOnReference } from '../src/evaluate.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { pipeline } from './pipeline.js';
import { randomGraph } from './random-graph.fixtures.js';
import { verify } from './rules.js';

const reference = new OnnxruntimeProcess();
afterAll(() => reference.dispose());
const passes = pipeline({ fold: (g) => evaluateOnReference(g, reference), compiles: () => true });

test('random graphs keep their meaning', async () => {
  for (let seed = 0; seed < 60; seed++) {
    const g = randomGraph(seed);
    let now = g;
    for (const pass of passes) {
      now = await pass.run(now);
      verify('lowered')(now);
    }
    // The seed tells which graph: randomGraph(seed).
    expect({ seed, differences: await sameMeaning(g, now, seed, reference) }).toEqual({
      seed,
      differences: [],
    });
  }
});
