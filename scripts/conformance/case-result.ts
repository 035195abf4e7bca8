/** Where a case's nodes ran. */
export type Placement = 'compiled' | 'partly' | 'onnxruntime';

export type Stage = 'import' | 'lower' | 'convert' | 'load' | 'run' | 'compare';

export interface CaseResult {
  readonly placement: Placement;
  /** Why not every node is compiled. */
  readonly left?: string;
  /** Absent where every data set gave the recorded outputs. */
  readonly failure?: { readonly stage: Stage; readonly reason: string };
}

/** One line, of a length that fits a table. */
export function sentence(error: unknown, length = 240): string {
  const text = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').trim();
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
