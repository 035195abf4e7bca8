/** An error the user can act on: what failed, where in their model, and what to do next. */
export class CompileError extends Error {
  override readonly name = 'CompileError';
  readonly notes: string[] = [];

  constructor(
    readonly code: string,
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }

  /** Runs `body`; if it fails, records where we were. Contexts stack from the inside out. */
  static within<T>(where: string, body: () => T): T {
    try {
      return body();
    } catch (e) {
      if (e instanceof CompileError) e.notes.push(where);
      throw e;
    }
  }

  render(): string {
    const notes = this.notes.map((n) => `  ${n}`);
    const hint = this.hint === undefined ? [] : [`  hint: ${this.hint}`];
    return [`error[${this.code}]: ${this.message}`, ...notes, ...hint].join('\n');
  }
}
