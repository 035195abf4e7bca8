import { type ImportOptions, importOnnx } from '../importers/onnx/import.js';
import type { Answers, TypeQuestion } from '../importers/onnx/type-question.js';
import type { Graph } from './ir/graph.js';
import type { Model } from './onnx/types.js';
import { resultTypes } from './runtime/result-types.js';

// An answer makes the nodes that read the result askable: the longest chain of unknown operators that is followed.
const mostRounds = 6;

/** Imports an ONNX model; where its types end at an unknown operator, onnxruntime is asked. */
export async function importModel(
  model: Model,
  options: Omit<ImportOptions, 'ask' | 'answers'>,
  signal?: AbortSignal,
): Promise<Graph> {
  const answers = new Map<string, Answers extends ReadonlyMap<string, infer A> ? A : never>();
  for (let round = 1; ; round++) {
    const questions = new Map<string, TypeQuestion>();
    const warnings: string[] = [];
    const graph = importOnnx(model, {
      ...options,
      warn: (message) => warnings.push(message),
      ask: (question) => questions.set(question.key, question),
      answers,
    });
    if (questions.size === 0 || round === mostRounds) {
      warnings.forEach(options.warn);
      return graph;
    }
    const asked = [...questions.values()];
    const replies = await resultTypes(
      asked.map((q) => q.model),
      signal,
    );
    for (const [i, { key }] of asked.entries()) answers.set(key, replies[i] ?? []);
  }
}
