import type { Guard } from './guards.js';

/** What `manifest.json` of an engine directory says. The compiler writes it, the runtime reads it. */
export interface Manifest {
  readonly schema: 1;
  readonly tool: { readonly name: 'ait-convert'; readonly version: string };
  readonly source: { readonly name: string; readonly sha256: string; readonly bytes: number };
  readonly target: {
    readonly kind: 'cpu' | 'cuda' | 'rocm' | 'emulated';
    /** The processor, or the devices with code in the library, between commas. */
    readonly arch: string;
    /** What the host's code needs of the processor. */
    readonly isa: string;
    /** What a GPU stores floats in. Absent for a processor, which keeps what the model says. */
    readonly precision?: 'fp16' | 'bf16' | 'fp32';
    /** Products and convolutions of floats round their operands to TF32. */
    readonly tf32?: boolean;
    readonly compiler: string;
  };
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** What the sizes of the inputs must fulfil together. */
  readonly guards?: readonly Guard[];
  /** In execution order. Values between steps are named; a graph input or output has the user's name. */
  readonly steps: readonly Step[];
  readonly weights: {
    readonly file: string;
    readonly bytes: number;
    readonly tensors: readonly WeightRecord[];
  };
  readonly accuracy: readonly AccuracyRecord[];
  /** What a tolerance for the outputs follows from, beside their own types and values. */
  readonly scale?: ScaleRecord;
  readonly kernels: readonly string[];
}

export interface Port {
  /** Name in the user's model. */
  readonly name: string;
  /** Name of the value among the steps' inputs and outputs. */
  readonly value: string;
  /** Element type, or the text of a type that is no tensor. */
  readonly dtype: string;
  /** Element type in the user's model, where the engine was asked for another. */
  readonly modelDtype?: string;
  /** A number, or a symbolic extent. Absent for a value that is no tensor. */
  readonly shape?: readonly (number | SymbolicExtent)[];
  /** Integers below this bound are valid, because the model indexes a table with them. */
  readonly below?: number;
}

export interface SymbolicExtent {
  readonly symbol: string;
  readonly min: number;
  /** Absent when unbounded. */
  readonly max?: number;
}

export interface Step {
  readonly kind: 'engine' | 'fallback';
  /** Engine: name of the segment in libmodel.so. Fallback: file of the ONNX model, relative to the directory. */
  readonly target: string;
  /** Values read, in the order of the segment's inputs. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Nodes of the user's model it covers. */
  readonly nodes: number;
  /** Estimated floating-point operations. Absent where nothing is known. */
  readonly work?: number;
  /** Outputs of types that onnxruntime in Node does not carry: the fallback model gives them as wider ones. */
  readonly narrow?: readonly NarrowValue[];
}

export interface NarrowValue {
  readonly value: string;
  /** The value's own element type. */
  readonly dtype: string;
}

export interface WeightRecord {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
  readonly sha256: string;
}

export interface ScaleRecord {
  /** The longest sum behind any element. */
  readonly accumulation: number;
  /** How many such sums follow one another. */
  readonly depth: number;
  readonly quantised: boolean;
  /** The coarsest float type values are stored or multiplied in. */
  readonly storage?: string;
}

export interface AccuracyRecord {
  readonly output: string;
  readonly maxAbsolute: number;
  readonly maxRelative: number;
  readonly cosine: number;
  readonly tolerance: { readonly atol: number; readonly rtol: number };
  readonly pass: boolean;
}
