import type { Attrs, Node } from '../../src/ir/graph.js';
import { Cpp, cpp, join, shortHash, str } from '../cpp.js';
import {
  Builder,
  type DeviceFunction,
  type KernelSource,
  type KernelTraits,
  type Parameter,
} from '../kernel.js';
import type { GpuTarget } from '../target.js';

/** A function that the device runs, and how it is started. */
export interface Launch {
  /** The function's body; the kernel's parameters are visible under their names. */
  readonly body: Cpp;
  /** Blocks along up to three axes, as host expressions of the parameters. */
  readonly grid: readonly Cpp[];
  /** Threads of a block, a whole number of warps. */
  readonly threads: number;
  /** Blocks that must fit a multiprocessor at once, which bounds the registers of a thread. */
  readonly blocks?: number;
  /** Bytes of dynamic shared memory, as a host expression. */
  readonly shared?: Cpp;
  /** The body itself waits for what runs in front of it, once that has to have ended. */
  readonly early?: true;
  /** True: only on devices of sm_90a, whose own instructions it uses; false: on all others. Absent: on all. */
  readonly hopper?: boolean;
  /** Launches that follow one another with the same loop are started in turn, for each of its numbers. */
  readonly loop?: Loop;
  /** Values that the host computes for this launch alone; they may name the loop's number. */
  readonly values?: readonly LaunchValue[];
  /** The headers of a body that uses nothing else of the kernel's, so that kernels share its function. */
  readonly alone?: readonly string[];
}

/** `index` counts from 0 to `count`, an expression of the host. */
export interface Loop {
  readonly index: Cpp;
  readonly count: Cpp;
}

export interface LaunchValue {
  readonly type: Cpp;
  readonly name: Cpp;
  readonly value: Cpp;
  /** The device takes its address, which is then one in constant memory. */
  readonly constant?: true;
}

/** What the code generator needs of an operator on a GPU. */
export interface GpuKernel<A extends Attrs = Attrs> extends KernelTraits<A> {
  /** Why this node cannot be compiled, as a sentence, or undefined when it can. */
  refuse?(node: Node<A>, target: GpuTarget): string | undefined;
  /** The launches, in order; parameters are asked of `k`. Absent for an operator that only aliases. */
  emit?(node: Node<A>, k: GpuBuilder): Launch | readonly Launch[];
}

export const defineGpuKernel = <A extends Attrs>(kernel: GpuKernel<A>): GpuKernel<A> => Object.freeze(kernel);

/** Builds the functions of a device and the function of the host that starts them. */
export class GpuBuilder extends Builder<GpuTarget> {
  readonly #before: Cpp[] = [];
  readonly #scratch: LaunchValue[] = [];
  readonly #failures: LaunchValue[] = [];

  /** A host statement ahead of the launches, such as a choice that several of them share. */
  before(statement: Cpp | false): void {
    if (statement !== false) this.#before.push(statement);
  }

  /** Device memory that lasts for the launches of this kernel, 256-byte aligned; its contents are undefined. */
  scratch(type: Cpp, bytes: Cpp): Cpp {
    const name = new Cpp(`s${this.#scratch.length}`);
    this.#scratch.push({ type: cpp`${type}*`, name, value: bytes });
    return name;
  }

  /** A device statement that ends the run with a sentence, once everything launched is done. */
  fail(message: string): Cpp {
    const name = new Cpp(`failure${this.#failures.length}`);
    this.#failures.push({
      type: cpp`uint64_t`,
      name,
      value: cpp`reinterpret_cast<uint64_t>(${str(message)})`,
    });
    return cpp`*static_cast<volatile uint64_t*>(status) = ${name};`;
  }

  finish(given: Launch | readonly Launch[]): KernelSource {
    const all: readonly Launch[] = 'body' in given ? [given] : given;
    const launches = all.filter((l) => archsOf(l, this.target).length > 0);
    const device = launches.map((l) => this.#deviceFunction(l));
    const { parameters, node } = this;
    const memory = this.#scratch.map(
      ({ type, name }, i) => cpp`const auto ${name} = reinterpret_cast<${type}>(scratch + scratch_at[${i}]);`,
    );
    const body = cpp`
      ${this.#before}
      ${
        memory.length > 0 &&
        cpp`int64_t scratch_at[] = {${join(
          this.#scratch.map((s) => s.value),
          ', ',
        )}};`
      }
      ${memory.length > 0 && cpp`uint8_t* const scratch = ait::gpu::scratch(ctx, scratch_at, ${memory.length});`}
      ${memory}
      ${inLoops(
        launches,
        launches.map((l, i) => launchText(l, this.#values(l), device[i]!, this.target)),
      )}
    `;
    const isUsed = (p: Parameter): boolean => new RegExp(`\\b${p.name}\\b`).test(body.text);
    const list = join(
      [
        cpp`ait::Context& ctx`,
        ...parameters.map((p) =>
          isUsed(p) ? cpp`${p.type} ${p.name}` : cpp`[[maybe_unused]] ${p.type} ${p.name}`,
        ),
      ],
      ', ',
    );
    const hash = shortHash([list.text, body.text, ...device.map((d) => d.text)].join('\n'));
    const entry = new Cpp(`${node.op.name.replace(/\W/g, '_')}_${hash}`);
    const signature = cpp`void ${entry}(${list})`;
    const definition = cpp`
      ${signature} {
        ${body}
      }
    `;
    return { includes: [], entry, signature, definition, parameters, device };
  }

  #values(launch: Launch): readonly LaunchValue[] {
    const status = { type: cpp`uint64_t*`, name: cpp`status`, value: cpp`ait::gpu::status(ctx)` };
    return [...(launch.values ?? []), ...this.#failures, ...(this.#failures.length > 0 ? [status] : [])];
  }

  #deviceFunction(launch: Launch): DeviceFunction {
    const helpers = launch.alone ? [] : this.helpers;
    const text = `${launch.body} ${join(helpers, '\n')}`;
    const all: readonly Omit<LaunchValue, 'value'>[] = [
      ...this.parameters.map((p) => ({ type: p.type, name: p.name })),
      ...this.#scratch,
      ...this.#values(launch),
    ];
    const used = all.filter((p) => new RegExp(`\\b${p.name}\\b`).test(text));
    const list = join(
      used.map((p) =>
        p.constant ? cpp`const AIT_GRID_CONSTANT ${p.type} ${p.name}` : cpp`${p.type} ${p.name}`,
      ),
      ', ',
    );
    const types = used.map((p) => p.type);
    const bounds =
      launch.blocks === undefined ? cpp`${launch.threads}` : cpp`${launch.threads}, ${launch.blocks}`;
    const headers = launch.alone ?? this.includes;
    const includes = ['ait/gpu/device.h', ...headers.filter((h) => h !== 'ait/gpu/device.h')];
    // The emulated driver gives the addresses of the arguments, as the others do.
    const unpacked = types.map((t, i) => cpp`*static_cast<${t}*>(args[${i}])`);
    const unit = (entry: Cpp): Cpp => cpp`
      ${includes.map((h) => cpp`#include ${str(h)}`)}

      namespace {
      ${helpers}
      }  // namespace

      AIT_GLOBAL(${bounds}) void ${entry}(${list}) {
        ${!launch.early && cpp`ait::gpu::wait_for_previous();`}
        ${!launch.early && cpp`ait::gpu::let_next_start();`}
        ${launch.body}
      }
      #if defined(AIT_EMULATED)
      extern "C" void ${entry}_emulated(void* const* args) {
        ${unpacked.length === 0 && cpp`(void)args;`}
        ${entry}(${join(unpacked, ', ')});
      }
      #endif
    `;
    const name = launch.alone ? 'any' : this.node.op.name.replace(/\W/g, '_');
    const entry = new Cpp(`device_${name}_${shortHash(unit(new Cpp('entry')).text)}`);
    return {
      ...{ entry, text: `${unit(entry)}\n`, types, names: used.map((p) => p.name) },
      archs: archsOf(launch, this.target),
    };
  }
}

/** The texts of launches, those with the same loop within one. */
function inLoops(launches: readonly Launch[], texts: readonly Cpp[]): readonly Cpp[] {
  const groups: { readonly loop: Loop | undefined; readonly texts: Cpp[] }[] = [];
  launches.forEach(({ loop }, i) => {
    const last = groups.at(-1);
    if (last && last.loop === loop) last.texts.push(texts[i]!);
    else groups.push({ loop, texts: [texts[i]!] });
  });
  return groups.flatMap(({ loop, texts }) =>
    loop
      ? [
          cpp`
            for (int64_t ${loop.index} = 0; ${loop.index} < ${loop.count}; ${loop.index}++) {
              ${texts}
            }
          `,
        ]
      : texts,
  );
}

function launchText(
  launch: Launch,
  values: readonly LaunchValue[],
  { entry, types, names }: DeviceFunction,
  target: GpuTarget,
): Cpp {
  const { grid, threads, shared } = launch;
  const extents = [0, 1, 2].map((i) => grid[i] ?? cpp`1`);
  const own = new Map(values.map((v) => [v.name.text, v.value]));
  const args = names.map((n, i) => {
    const value = own.get(n.text);
    return value ? cpp`static_cast<${types[i]!}>(${value})` : n;
  });
  const head = [cpp`ctx`, functionName(entry), cpp`{${join(extents, ', ')}}`, cpp`${threads}`];
  const start = cpp`ait::gpu::launch(${join([...head, shared ?? cpp`0`, ...args], ', ')});`;
  const some = archsOf(launch, target).length < target.archs.length;
  return some ? cpp`if (${!launch.hopper && cpp`!`}ait::gpu::is_hopper(ctx)) ${start}` : start;
}

/** The devices that a function is compiled for. */
const archsOf = ({ hopper }: Launch, { archs }: GpuTarget): readonly string[] =>
  hopper === undefined ? archs : archs.filter((a) => (a === 'sm_90a') === hopper);

/** The host's object for a function of the device. */
export const functionName = (entry: Cpp): Cpp => new Cpp(`ait_function_${entry}`);
