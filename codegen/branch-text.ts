import { bareSymbol } from '../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../src/ir/graph.js';
import { Cpp, comment, cpp, ctype, join } from './cpp.js';
import type { ExtentText } from './extent-text.js';
import { hostScalar } from './host-scalar.js';
import { extentsOf, type KernelTraits } from './kernel.js';
import type { ValueText } from './value-text.js';

/** What a call of one of two bodies is written with. */
export interface BranchSite {
  /** A name that no other branch of the program has. */
  readonly id: string;
  /** The functions of the bodies. */
  readonly functions: readonly [string, string];
  /** The first slot of the memory that the bodies take turns to use. */
  readonly slot: number;
  readonly extents: ExtentText;
  readonly values: ValueText;
  kernelOf(n: Node): KernelTraits;
}

/** Calls one of two bodies, which are programs of their own, and names its results. */
export function emitBranch(n: Node, site: BranchSite): void {
  const { extents, values } = site;
  const { body, text } = extents;
  const id = new Cpp(site.id);
  const [condition, ...captured] = n.inputs;
  body.push(comment(`if: ${n.origin.name}`));
  const tensors = captured.map((v, i) => {
    const type = ctype[dtypeOf(v)];
    const list = join([...shapeOf(v).map(text), cpp`0`], ', ');
    body.push(cpp`int64_t shape_${id}_${i}[] = {${list}};`);
    const known = values.layout.offset(v) === 0 ? extentsOf(values.layout.owner(v)) : undefined;
    const host = known ? cpp`host_${id}_${i}` : (values.onHost(v) ?? cpp`nullptr`);
    if (known) {
      const elements = join([...known.map((d) => cpp`static_cast<${type}>(${text(d)})`), cpp`0`], ', ');
      body.push(cpp`const ${type} ${host}[] = {${elements}};`);
    }
    return cpp`{const_cast<${type}*>(${values.pointer(v)}), shape_${id}_${i}, ${shapeOf(v).length}, 1, ${host}}`;
  });
  const decides = hostScalar(condition!, site.kernelOf, extents, values) ?? values.element(condition!, 0);
  const list = join([...tensors, cpp`{nullptr, nullptr, 0}`], ', ');
  const branch = cpp`branch_${id}`;
  const [then, otherwise] = site.functions.map((name) => new Cpp(name));
  body.push(
    cpp`const ait::Tensor captured_${id}[] = {${list}};`,
    cpp`ait::Branch<${n.outputs.length}> ${branch}(run, ${site.slot}, captured_${id});`,
    cpp`(${decides} ? ${then} : ${otherwise})(${branch});`,
    cpp`if (run.ctx.error) return;`,
  );
  n.outputs.forEach((v, i) => {
    const type = ctype[dtypeOf(v)];
    const p = values.define(v);
    body.push(cpp`const ${type}* ${p} = ${branch}.result<${type}>(${i});`);
    shapeOf(v).forEach((d, axis) => {
      const bare = bareSymbol(d);
      if (bare !== undefined && !extents.has(bare))
        extents.define(bare, cpp`${branch}.result_extent(${i}, ${axis})`);
    });
  });
}
