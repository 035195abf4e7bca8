import { env } from './env.js';

/** What progress is written to; a terminal says so by `isTTY`. */
export type ProgressStream = {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
};

export type ProgressOptions = {
  /** Default: standard error, so that standard output stays clean for `--json`. */
  readonly stream?: ProgressStream;
  /** Nothing is written, but times are still taken. */
  readonly quiet?: boolean;
  /** Milliseconds; default the monotonic clock. */
  readonly now?: () => number;
};

export type StageTime = { readonly name: string; readonly seconds: number };

const REDRAW_MS = 80;
const PLAIN_LINE_EVERY_MS = 5000;

/** The stages of one conversion: a live line with an ETA on a terminal, plain lines elsewhere. */
export class Progress {
  readonly #stream: ProgressStream;
  readonly #quiet: boolean;
  readonly #live: boolean;
  readonly #now: () => number;
  readonly #times: StageTime[] = [];
  #current: Stage | undefined;

  constructor({
    stream = process.stderr,
    quiet = false,
    now = () => performance.now(),
  }: ProgressOptions = {}) {
    this.#stream = stream;
    this.#quiet = quiet;
    this.#live = !quiet && stream.isTTY === true;
    this.#now = now;
  }

  /** Seconds of every finished stage, in order. */
  get times(): readonly StageTime[] {
    return this.#times;
  }

  /** Runs one stage. `total` is the number of ticks to come, where it is known. */
  async stage<T>(
    name: string,
    total: number | undefined,
    body: (stage: Stage) => T | Promise<T>,
  ): Promise<T> {
    const outer = this.#current;
    const stage = new Stage(name, total, this.#now(), (redraw) => this.#show(stage, redraw));
    this.#current = stage;
    if (this.#live) this.#show(stage, true);
    try {
      const result = await body(stage);
      this.#finish(stage, '✓');
      return result;
    } catch (error) {
      this.#finish(stage, '✗');
      throw error;
    } finally {
      this.#current = outer;
    }
  }

  /** A line of its own, above the live one. */
  log(line: string): void {
    if (this.#quiet) return;
    this.#stream.write(this.#live ? `\r\x1b[K${line}\n` : `${line}\n`);
    if (this.#current) this.#show(this.#current, true);
  }

  #finish(stage: Stage, mark: string): void {
    const seconds = (this.#now() - stage.startedAt) / 1000;
    this.#times.push({ name: stage.name, seconds });
    if (this.#quiet) return;
    const count = stage.total === undefined && stage.done === 0 ? '' : ` ${stage.done}`;
    const note = stage.summary === undefined ? '' : `  ${stage.summary}`;
    const line = `${mark} ${stage.name}${count}  ${formatSeconds(seconds)}${note}`;
    this.#stream.write(this.#live ? `\r\x1b[K${this.#paint(line, mark)}\n` : `${line}\n`);
  }

  #paint(line: string, mark: string): string {
    if (env('NO_COLOR') !== undefined) return line;
    return `\x1b[${mark === '✓' ? 32 : 31}m${mark}\x1b[39m${line.slice(mark.length)}`;
  }

  #show(stage: Stage, force: boolean): void {
    if (this.#quiet || this.#current !== stage) return;
    const now = this.#now();
    if (!force && now - stage.shownAt < (this.#live ? REDRAW_MS : PLAIN_LINE_EVERY_MS)) return;
    stage.shownAt = now;
    const text = describe(stage, now);
    if (this.#live) this.#stream.write(`\r\x1b[K${truncate(text, (this.#stream.columns ?? 80) - 1)}`);
    else this.#stream.write(`${text}\n`);
  }
}

/** One stage in progress: count what is done, say what is at hand. */
export class Stage {
  done = 0;
  detail = '';
  summary: string | undefined;
  shownAt: number;

  constructor(
    readonly name: string,
    public total: number | undefined,
    readonly startedAt: number,
    private readonly changed: (force: boolean) => void,
  ) {
    this.shownAt = startedAt;
  }

  tick(detail = '', count = 1): void {
    this.done += count;
    this.detail = detail;
    this.changed(false);
  }

  /** Where the stage stands, for work whose extent shows only when it is under way. */
  reach(done: number, total: number, detail = ''): void {
    this.done = done;
    this.total = total;
    this.detail = detail;
    this.changed(false);
  }

  /** What the finished line says besides the time. */
  conclude(summary: string): void {
    this.summary = summary;
  }
}

function describe(stage: Stage, now: number): string {
  const { name, total, done, detail, startedAt } = stage;
  const elapsed = (now - startedAt) / 1000;
  const tail = detail === '' ? '' : `  ${oneLine(detail)}`;
  if (total === undefined || total === 0) return `… ${name}${done > 0 ? ` ${done}` : ''}${tail}`;
  const percent = Math.floor((100 * Math.min(done, total)) / total);
  const left =
    done > 0 && done < total && elapsed > 1
      ? `, ${formatSeconds((elapsed / done) * (total - done))} left`
      : '';
  return `… ${name} ${done}/${total} (${percent} %${left})${tail}`;
}

/** Names from a model may hold anything, control sequences for the terminal included. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}

function truncate(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

export function formatSeconds(seconds: number): string {
  if (seconds < 0.0995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}
