import { isArray } from '../pt2/json.js';
import type { Known } from './fx-values.js';

/** Overloads that the forms of the arguments tell apart. */
export function chosenOverload(target: string, given: Map<string, Known>): string {
  const isTensor = (key: string): boolean => given.get(key)?.kind === 'tensor';
  const move = (from: string, to: string): void => {
    const v = given.get(from);
    given.delete(from);
    if (v) given.set(to, v);
  };
  switch (target) {
    case 'pow.Tensor_Scalar':
      return isTensor('exponent') ? (isTensor('self') ? 'pow.Tensor_Tensor' : 'pow.Scalar') : target;
    case 'masked_fill.Scalar':
      return isTensor('value') ? 'masked_fill.Tensor' : target;
    case 'split.Tensor': {
      const size = given.get('split_size');
      const isList = size?.kind === 'list' || (size?.kind === 'plain' && isArray(size.value));
      if (isList) move('split_size', 'split_sizes');
      return isList ? 'split_with_sizes' : target;
    }
    case 'max':
    case 'min': {
      if (!given.has('dim')) return target;
      if (!isTensor('dim')) return `${target}.dim`;
      move('dim', 'other');
      return `${target}.other`;
    }
    case 'all':
    case 'any':
      return given.has('dim') ? `${target}.dim` : target;
    case 'prod':
      return given.has('dim') ? 'prod.dim_int' : target;
    case 'squeeze.dim':
      return given.has('dim') ? target : 'squeeze';
    case 'where.self':
      return isTensor('self')
        ? isTensor('other')
          ? target
          : 'where.ScalarOther'
        : isTensor('other')
          ? 'where.ScalarSelf'
          : 'where.Scalar';
    default:
      return target;
  }
}
