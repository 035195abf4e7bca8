import type { SourceNode } from './op.js';

export type Cell = 'rnn' | 'gru' | 'lstm';

/** Activations by their ONNX names, with the parameters they have when nobody says otherwise. */
const known = {
  Relu: {},
  Tanh: {},
  Sigmoid: {},
  Affine: { alpha: 1, beta: 0 },
  LeakyRelu: { alpha: 0.01 },
  ThresholdedRelu: { alpha: 1 },
  ScaledTanh: { alpha: 1, beta: 1 },
  HardSigmoid: { alpha: 0.2, beta: 0.5 },
  Elu: { alpha: 1 },
  Softsign: {},
  Softplus: {},
} as const satisfies Readonly<Record<string, { readonly alpha?: number; readonly beta?: number }>>;

export type ActivationName = keyof typeof known;
export type Activation = { readonly name: ActivationName; readonly alpha: number; readonly beta: number };

export const takesAlpha = (name: ActivationName): boolean => 'alpha' in known[name];
export const takesBeta = (name: ActivationName): boolean => 'beta' in known[name];

const usual: Readonly<Record<Cell, readonly ActivationName[]>> = {
  rnn: ['Tanh'],
  gru: ['Sigmoid', 'Tanh'],
  lstm: ['Sigmoid', 'Tanh', 'Tanh'],
};

/** The activations of a node; each function that has a parameter takes the next one given. */
export function activationsOf(n: SourceNode, cell: Cell, directions: number): readonly Activation[] {
  const each = usual[cell];
  const asked = n.has('activations')
    ? n.strings('activations')
    : Array.from({ length: directions }, () => each).flat();
  if (asked.length !== directions * each.length)
    n.decline(`${asked.length} activations are given for ${directions} directions`);
  const alphas = [...n.floats('activation_alpha', [])];
  const betas = [...n.floats('activation_beta', [])];
  return asked.map((text) => {
    const name = (Object.keys(known) as ActivationName[]).find((k) => k.toLowerCase() === text.toLowerCase());
    if (name === undefined) return n.decline(`the activation ${text} is not known`);
    const own: { readonly alpha?: number; readonly beta?: number } = known[name];
    return {
      name,
      alpha: own.alpha === undefined ? 0 : (alphas.shift() ?? own.alpha),
      beta: own.beta === undefined ? 0 : (betas.shift() ?? own.beta),
    };
  });
}
