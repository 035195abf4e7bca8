import { CompileError } from '../../src/support/diagnostic.js';
import { isArray } from '../pt2/json.js';
import { parsePrinted, scalarTypeNumber } from './fx-values.js';
import { BadProgram, type Fields, listOf } from './schema.js';

/** The type and shape of a tensor as a torch.fx graph says it. */
export interface Meta {
  /** PyTorch's number of the type. */
  readonly dtype: number;
  /** Extents as numbers or expressions. */
  readonly shape: readonly (number | string)[];
  readonly strides?: readonly (number | string)[] | undefined;
}

/** Those of a node's results; undefined where one is missing. */
export function resultMetas(node: Fields, name: string): readonly (Meta | undefined)[] {
  if (!isArray(node.dtype)) return [metaIn(node, name)];
  const shapes = listOf(node.shape, `the shapes of "${name}"`);
  return node.dtype.map((dtype, i) =>
    dtype === null
      ? undefined
      : metaIn(
          { dtype, shape: shapes[i] ?? null, stride: isArray(node.stride) ? node.stride[i]! : null },
          name,
        ),
  );
}

export function metaIn({ dtype, shape, stride, is_quantized }: Fields, name: string): Meta {
  if (is_quantized === true)
    throw new CompileError(
      'unsupported-form',
      `"${name}" is quantised`,
      'export the module before it is quantised',
    );
  const type = typeof dtype === 'string' ? scalarTypeNumber(dtype) : undefined;
  if (type === undefined || typeof shape !== 'string')
    throw new BadProgram(
      'untyped-value',
      `the graph does not say the type and shape of "${name}"`,
      'run torch.fx.passes.shape_prop.ShapeProp before the graph is written, or use scripts/export-pt2.py',
    );
  const strides =
    typeof stride === 'string' ? shapeIn(stride.replace(/^\((.*?),?\)$/, '[$1]'), name) : undefined;
  return { dtype: type, shape: shapeIn(shape, name), strides };
}

/** `[2, s0, 3]` or `torch.Size([2, 3])`: commas within brackets belong to an expression. */
function shapeIn(text: string, name: string): readonly (number | string)[] {
  const inner = /^(?:torch\.Size\()?\[(.*)\]\)?$/s.exec(text.trim())?.[1];
  if (inner === undefined)
    throw new BadProgram('bad-program', `the shape of "${name}" is ${JSON.stringify(text)}`);
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const c of inner) {
    if (c === '(' || c === '[') depth++;
    if (c === ')' || c === ']') depth--;
    if (c === ',' && depth === 0) {
      parts.push(part);
      part = '';
    } else part += c;
  }
  if (part.trim() !== '' || parts.length > 0) parts.push(part);
  return parts.map((p) => {
    const value = parsePrinted(p);
    return typeof value === 'number' ? value : p.trim();
  });
}
