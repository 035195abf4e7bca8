import { containerOf } from '../artifact/container.js';
import { type Guard, type InputSize, inputsRead, violated } from '../artifact/guards.js';
import type { Port, SymbolicExtent } from '../artifact/manifest.js';
import { CompileError } from '../support/diagnostic.js';
import { malformed, type TensorData } from '../support/tensor-data.js';
import { isTensorData, type ValueData } from '../support/value-data.js';

/** Throws, naming the input and what it should have been, unless these are the model's inputs. */
export function checkFeeds(ports: readonly Port[], feeds: ReadonlyMap<string, ValueData>): void {
  const known = new Set(ports.map((port) => port.name));
  for (const name of feeds.keys()) {
    if (!known.has(name))
      throw new CompileError('unknown-input', `the model has no input "${name}"`, `it has ${listed(ports)}`);
  }
  const symbols = new Map<string, { readonly size: number; readonly input: string }>();
  for (const port of ports) {
    const feed = feeds.get(port.name);
    if (feed === undefined)
      throw new CompileError(
        'missing-input',
        `the input "${port.name}" is missing`,
        `it is ${typeText(port)}`,
      );
    checkFeed(port, feed, symbols);
  }
}

/** Throws when sizes do not go together in a way that the model was made for. */
export function checkGuards(
  guards: readonly Guard[] | undefined,
  feeds: ReadonlyMap<string, ValueData>,
): void {
  const sizeOf = ({ input, axis }: InputSize): number | undefined => {
    const feed = feeds.get(input);
    if (!feed || !isTensorData(feed)) return undefined;
    return axis === undefined ? numberIn(feed) : feed.shape[axis];
  };
  const guard = violated(guards, sizeOf);
  if (!guard) return;
  const shapes = [...new Set(inputsRead(guard.condition))].map((name) => {
    const feed = feeds.get(name);
    return feed && isTensorData(feed) ? `"${name}" is [${feed.shape.join(', ')}]` : `"${name}"`;
  });
  throw new CompileError(
    'input-guard',
    `the model was exported for inputs with ${guard.text}, and ${shapes.join(', ')}`,
    'feed inputs that fulfil it, or export the model with examples that do not',
  );
}

/** The value of an integer tensor without axes. */
function numberIn({ dtype, bytes }: TensorData): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return dtype === 'i64' && bytes.byteLength === 8 ? Number(view.getBigInt64(0, true)) : undefined;
}

function checkFeed(
  port: Port,
  feed: ValueData,
  symbols: Map<string, { readonly size: number; readonly input: string }>,
): void {
  const { name, dtype, shape: expected } = port;
  const refused = (code: string, problem: string) =>
    new CompileError(code, `the input "${name}" ${problem}, expected ${typeText(port)}`);
  if (expected === undefined) {
    if (containerOf(dtype)) return;
    throw new CompileError('input-type', `the input "${name}" is ${dtype}, which Node cannot feed`);
  }
  if (!isTensorData(feed)) throw refused('input-type', `is a value of kind ${feed.kind}`);
  if (feed.dtype !== dtype) throw refused('input-type', `has elements of type ${feed.dtype}`);
  const damage = malformed(feed);
  if (damage !== undefined) throw refused('input-data', `is damaged (${damage})`);
  const shape = `has the shape [${feed.shape.join(', ')}]`;
  if (feed.shape.length !== expected.length) throw refused('input-shape', shape);
  expected.forEach((extent, axis) => {
    const size = feed.shape[axis]!;
    if (typeof extent === 'number') {
      if (size !== extent) throw refused('input-shape', shape);
      return;
    }
    const { symbol, min, max } = extent;
    if (size < min || (max !== undefined && size > max))
      throw refused('input-range', `${shape}, with ${symbol} = ${size}`);
    const other = symbols.get(symbol);
    if (other !== undefined && other.size !== size)
      throw refused('input-shape', `${shape}, where ${symbol} is ${other.size} in "${other.input}"`);
    if (other === undefined) symbols.set(symbol, { size, input: name });
  });
}

function listed(ports: readonly Port[]): string {
  return ports.map(({ name }) => `"${name}"`).join(', ');
}

/** `f32[N, 4] (N from 1 to 64)` */
export function typeText({ dtype, shape }: Port): string {
  if (shape === undefined) return dtype;
  const extents = shape.map((extent) => (typeof extent === 'number' ? extent : extent.symbol));
  const ranges = shape.filter((extent) => typeof extent !== 'number').map(rangeText);
  const distinct = [...new Set(ranges)].filter((range) => range !== '');
  return `${dtype}[${extents.join(', ')}]${distinct.length > 0 ? ` (${distinct.join(', ')})` : ''}`;
}

function rangeText({ symbol, min, max }: SymbolicExtent): string {
  if (max !== undefined) return `${symbol} from ${min} to ${max}`;
  return min > 1 ? `${symbol} at least ${min}` : '';
}
