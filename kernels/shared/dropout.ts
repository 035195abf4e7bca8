import { dtypeOf } from '../../src/ir/graph.js';
import { isFloat } from '../../src/ir/type.js';
import type { Ends } from './elements.js';

export const refuseDropout = ({ inputs }: Pick<Ends, 'inputs'>): string | undefined =>
  inputs.slice(0, 2).every((v) => isFloat(dtypeOf(v))) ? undefined : 'dropout takes floats';
