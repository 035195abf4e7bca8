import { numel } from '../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf, type Value } from '../src/ir/graph.js';
import { bitsOf, type DType, isInteger } from '../src/ir/type.js';
import { type Cpp, cpp, ctype, integer, number } from './cpp.js';
import type { ExtentText } from './extent-text.js';
import { constantOf, extentsOf, type KernelTraits } from './kernel.js';
import { scalarText } from './scalar-text.js';
import type { ValueText } from './value-text.js';

const computes = (t: DType): boolean =>
  t === 'bool' || t === 'f32' || t === 'f64' || (isInteger(t) && bitsOf[t] >= 8);

/**
 * The only element of a value as an expression of the host's: one of extents, constants and inputs. Undefined where it
 * takes more than that.
 */
export function hostScalar(
  v: Value,
  kernelOf: (n: Node) => KernelTraits,
  extents: ExtentText,
  values: ValueText,
): Cpp | undefined {
  const scalar = (given: Value): Cpp | undefined => {
    const o = values.layout.owner(given);
    const type = dtypeOf(o);
    if (numel(shapeOf(o)) !== 1 || !computes(type)) return undefined;
    const [extent] = extentsOf(o) ?? [];
    if (extent !== undefined) return cpp`static_cast<${ctype[type]}>(${extents.text(extent)})`;
    const literal = constantOf(o);
    if (literal)
      return isInteger(type) || type === 'bool'
        ? integer(literal.bigints()[0]!, type)
        : number(literal.numbers()[0]!, type);
    if (values.g.inputs.includes(o)) return values.element(o, 0);
    const { node } = o;
    const expr = kernelOf(node).expression?.(node);
    const operands = expr && node.inputs.map(scalar);
    if (!operands?.every((x) => x !== undefined)) return undefined;
    return scalarText(expr!, { types: node.inputs.map(dtypeOf), operand: (i) => operands[i]! });
  };
  return scalar(v);
}
