import type { Expr } from '../src/ir/expr.js';
import type { AttrValue } from '../src/ir/graph.js';

export const isExpr = (a: AttrValue): a is AttrValue & Expr =>
  typeof a === 'object' &&
  a !== null &&
  'kind' in a &&
  ['in', 'const', 'cast', 'call'].includes(String(a.kind));
