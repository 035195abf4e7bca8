import { type Shape, symbolsOf } from './dim.js';
import { type Expr, showExpr } from './expr.js';
import {
  type Attrs,
  type AttrValue,
  type Graph,
  input,
  inputName,
  is,
  symbolsIn,
  topological,
  type Value,
} from './graph.js';
import { Literal } from './literal.js';
import { showType, type ValueType } from './type.js';

const printable = 8;

/** An attribute as text: what the parser reads back, except large literals, which show their content's hash. */
export function showAttr(v: AttrValue): string {
  if (v instanceof Literal) return showLiteral(v);
  if (typeof v === 'number') return Object.is(v, -0) ? '-0' : String(v);
  if (typeof v === 'bigint') return `${v}n`;
  if (typeof v !== 'object') return v === undefined ? 'none' : JSON.stringify(v);
  if (Array.isArray(v)) return `[${v.map(showAttr).join(', ')}]`;
  if ('kind' in v)
    switch (v.kind) {
      case 'poly':
        return (v as { key: string }).key;
      case 'graph':
        return `{\n${print(v as Graph).replace(/^/gm, '    ')}\n  }`;
      case 'tensor':
      case 'opaque':
        return showType(v as ValueType);
      case 'in':
      case 'const':
      case 'cast':
      case 'call':
        return `{${showExpr(v as Expr)}}`;
    }
  const fields = Object.entries(v as Attrs).filter(([, x]) => x !== undefined);
  return `{${fields.map(([k, x]) => `${k}: ${showAttr(x)}`).join(', ')}}`;
}

function showLiteral(l: Literal): string {
  const type = showType(l.type);
  if (l.size > printable || /^(c|f8|f4|str)/.test(l.dtype)) return `${type} #${l.key}`;
  const values = /^(i|u|bool)/.test(l.dtype) ? l.bigints() : l.numbers();
  return `${type} {${values.map((x) => (Object.is(x, -0) ? '-0' : String(x))).join(', ')}}`;
}

/** A graph as text, one node a line, producers first. */
export function print(g: Graph): string {
  const name = new Map<Value, string>();
  const ref = (v: Value): string => {
    let n = name.get(v);
    if (n === undefined) {
      n = `%${name.size}`;
      name.set(v, n);
    }
    return n;
  };
  const symbols = symbolsOf(0);
  const lines = topological(g).map((n) => {
    symbolsIn(n, symbols);
    const results = n.outputs.map(ref).join(', ');
    if (is(n, input))
      return `  ${results} = input(${JSON.stringify(inputName(n.outputs[0]!))}) : ${showType(n.attrs.type)}`;
    const attrs = Object.entries(n.attrs)
      .filter(([, v]) => v !== undefined)
      .map(([k, v]) => `${k}=${showAttr(v)}`);
    const args = [...n.inputs.map(ref), ...attrs].join(', ');
    return `  ${results} = ${n.op.name}(${args}) : ${n.outputs.map((v) => showType(v.type)).join(', ')}`;
  });
  const ranges = [...symbols.values()]
    .filter(({ min, max }) => min !== 0 || max !== Number.POSITIVE_INFINITY)
    .map(({ key, min, max }) => `  dim ${key} in ${min}..${max}`);
  const bound = [...g.bindings]
    .filter(([, { value }]) => name.has(value))
    .map(([s, { value, element }]) => `  bind ${s} = ${ref(value)}[${element}]`);
  return [...ranges, ...lines, ...bound, `  return ${g.outputs.map(ref).join(', ')}`].join('\n');
}

export const showShape = (s: Shape): string => `[${s.map(showAttr).join(', ')}]`;
