import { constants } from 'node:os';
import { CompileError } from '../support/diagnostic.js';
import type { ExitCode } from './exit-codes.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type Ending = (typeof SIGNALS)[number];

/** Work that does not notice the signal in this time is left: exit handlers still remove what is half-made. */
const PATIENCE_MS = 3000;

/** Turns signals into an abort, so that work in progress can take its temporary files and children along. */
export class Interrupt {
  readonly #controller = new AbortController();
  #received: Ending | undefined;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The exit code of a process that the signal ended, or undefined while none came. */
  get exitCode(): ExitCode | undefined {
    return this.#received === undefined ? undefined : codeOf(this.#received);
  }

  watch(): void {
    for (const name of SIGNALS) process.on(name, this.#onSignal);
  }

  unwatch(): void {
    for (const name of SIGNALS) process.off(name, this.#onSignal);
  }

  readonly #onSignal = (name: Ending): void => {
    // Asked a second time, nothing is waited for.
    if (this.#received !== undefined) process.exit(codeOf(name));
    this.#received = name;
    this.#controller.abort(new CompileError('cancelled', 'interrupted'));
    setTimeout(() => process.exit(codeOf(name)), PATIENCE_MS).unref();
  };
}

const codeOf = (name: Ending): ExitCode => (128 + constants.signals[name]) as ExitCode;
