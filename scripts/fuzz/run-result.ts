export type RunKind =
  | 'agrees'
  | 'agrees up to overflow'
  | 'onnxruntime refuses the model'
  | 'onnxruntime does not end'
  | 'too large to run'
  | 'needs inputs'
  | 'conversion refused'
  | 'run refused'
  | 'WRONG'
  | 'EXCEPTION'
  | 'CRASH'
  | 'HANG';

export interface RunReply {
  readonly kind: RunKind;
  /** An error's code, or what is wrong. */
  readonly detail: string;
}

export const isRunBug = ({ kind }: RunReply): boolean => kind === kind.toUpperCase();
