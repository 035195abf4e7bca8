import { type Cpp, cpp } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch } from '../../codegen/gpu/builder.js';
import type { Dim } from '../../src/ir/dim.js';

/** What every device's blocks may have without asking for more. */
const sharedBytes = 48 * 1024;

/** Memory that each block of a launch has to itself: shared where it fits, else part of the workspace. */
export class BlockMemory {
  /** Where it begins, for device code. */
  readonly pointer: Cpp;
  /** What the launch says about it. */
  readonly launch: Pick<Launch, 'shared'>;

  constructor(k: GpuBuilder, type: Cpp, elements: Dim, blocks: Cpp) {
    const bytes = cpp`${k.arg(elements)} * static_cast<int64_t>(sizeof(${type}))`;
    const fits = cpp`${bytes} <= ${sharedBytes}`;
    const workspace = k.scratch(type, cpp`(${fits} ? 0 : ${blocks} * ${bytes})`);
    this.pointer = cpp`(${fits} ? reinterpret_cast<${type}*>(ait::gpu::dynamic_shared()) : ${workspace} + ait::gpu::block_x() * ${k.arg(elements)})`;
    this.launch = { shared: cpp`(${fits} ? ${bytes} : 0)` };
  }
}
