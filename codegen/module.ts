import { type Cpp, cpp, join, str } from './cpp.js';
import { deviceFunctions, deviceUnit, functionTable, launchUnit } from './gpu/program.js';
import type { SegmentCode } from './host-program.js';
import type { KernelSource } from './kernel.js';
import { hostOf, type Target } from './target.js';

/** One source file of an engine. */
export interface SourceFile {
  readonly name: string;
  readonly text: string;
  /** Compiled for the oldest processor of the family: the code that tells a processor it is too old. */
  readonly baseline?: boolean;
  /** The device's function in it, for a file that is compiled for the device. */
  readonly device?: string;
  /** The devices it is compiled for. */
  readonly archs?: readonly string[];
}

/** Headers whose templates take long enough to compile that each user gets a unit of its own. */
const heavy = /\/(gemm|conv|depthwise|winograd|matmul|q_?gemm|q_|attention|rnn)/;
const lightPerUnit = 12;

/**
 * The source files of an engine: kernels, spread over units of similar cost, the segments' programs, and
 * the library around them. The text depends on nothing but the graph and the target. Kernels in `alone`, by
 * entry, get units of their own.
 */
export function emitModule(
  segments: readonly SegmentCode[],
  target: Target,
  weightsBytes: number,
  alone: ReadonlySet<string> = new Set(),
): readonly SourceFile[] {
  const unique = new Map<string, KernelSource>();
  for (const s of segments) for (const k of s.kernels) unique.set(k.entry.text, k);
  const kernels = [...unique.values()];
  const program = { name: 'program.cpp', text: programUnit(segments, kernels, target, weightsBytes) };
  if (target.kind === 'gpu') {
    const library = `#include "ait/gpu/library_${target.api}.h"\n`;
    return [
      ...deviceFunctions(kernels).map(deviceUnit),
      launchUnit(kernels),
      program,
      { name: 'library.cpp', text: library, baseline: true },
    ];
  }
  const isHeavy = (k: KernelSource): boolean => k.includes.some((h) => heavy.test(h));
  const isAlone = (k: KernelSource): boolean => isHeavy(k) || alone.has(k.entry.text);
  const light = kernels.filter((k) => !isAlone(k));
  const units = [...kernels.filter(isAlone).map((k) => [k])];
  for (let i = 0; i < light.length; i += lightPerUnit) units.push(light.slice(i, i + lightPerUnit));
  return [
    ...units.map((unit) => ({ name: `${unit[0]!.entry}.cpp`, text: kernelUnit(unit) })),
    program,
    ...(kernels.some(isHeavy) ? [{ name: 'shared.cpp', text: '#include "ait/shared_kernels.h"\n' }] : []),
    { name: 'library.cpp', text: '#include "ait/library.h"\n', baseline: true },
  ];
}

function kernelUnit(kernels: readonly KernelSource[]): string {
  const includes = [...new Set(['ait/context.h', ...kernels.flatMap((k) => k.includes)])];
  return `${cpp`
    ${includes.map((h) => cpp`#include ${str(h)}`)}

    ${join(
      kernels.map((k) => k.definition),
      '\n\n',
    )}
  `}\n`;
}

function programUnit(
  segments: readonly SegmentCode[],
  kernels: readonly KernelSource[],
  target: Target,
  weightsBytes: number,
): string {
  const declarations: readonly Cpp[] = kernels.map((k) => cpp`${k.signature};`);
  return `${cpp`
    #include <cstring>
    #include "ait/numeric.h"
    #include "ait/run.h"
    ${segments.some((s) => /\bait::fn::/.test(s.program.text)) && cpp`#include "ait/scalar.h"`}
    ${target.kind === 'gpu' && cpp`#include "ait/gpu/function.h"`}

    ${declarations}

    ${target.kind === 'gpu' && functionTable(kernels, target)}

    namespace {

    ${join(
      segments.map((s) => s.program),
      '\n\n',
    )}

    const ait::Segment segments[] = {
        ${segments.map((s) => s.entry)}
    };

    }  // namespace

    extern "C" const ait::Contents ait_contents = {${segments.length}, segments, ${str(hostOf(target).isa)}, ${weightsBytes}};
  `}\n`;
}
