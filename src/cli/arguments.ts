import { CompileError } from '../support/diagnostic.js';

const usage = (option: string, given: string, wanted: string): CompileError =>
  new CompileError(
    'bad-option',
    `--${option} ${JSON.stringify(given)} is not understood`,
    `write it as ${wanted}`,
  );

/** `name:1x3x224x224`; an extent may be a symbol. The name may hold colons: the last one counts. */
export function parseShapes(given: readonly string[]): ReadonlyMap<string, readonly (number | string)[]> {
  return new Map(
    given.map((text) => {
      const at = text.lastIndexOf(':');
      if (at < 1) throw usage('shapes', text, 'name:1x3x224x224');
      const extents = text.slice(at + 1) === '' ? [] : text.slice(at + 1).split('x');
      const shape = extents.map((e) => {
        if (/^\d+$/.test(e)) return Number(e);
        if (/^[A-Za-z_]\w*$/.test(e)) return e;
        throw usage('shapes', text, 'name:1x3x224x224, with numbers or names of dimensions');
      });
      return [text.slice(0, at), shape];
    }),
  );
}

/** `batch=1..32` or `batch=4`. */
export function parseDims(given: readonly string[]): ReadonlyMap<string, { min: number; max: number }> {
  return new Map(
    given.map((text) => {
      const found = /^(.+)=(\d+)(?:\.\.(\d+))?$/.exec(text);
      if (!found) throw usage('dim', text, 'batch=1..32');
      const [min, max] = [Number(found[2]), Number(found[3] ?? found[2])];
      if (min > max) throw usage('dim', text, 'batch=1..32, the smaller number first');
      return [found[1]!, { min, max }];
    }),
  );
}

/** `name=@file` pairs. The name may hold equals signs: the last `=@` counts. */
export function parseInputs(given: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    given.map((text) => {
      const at = text.lastIndexOf('=@');
      if (at < 1 || at + 2 === text.length) throw usage('input', text, 'name=@file.npy');
      return [text.slice(0, at), text.slice(at + 2)];
    }),
  );
}

/** `A,B` and repeated options alike. */
export const parseList = (given: readonly string[]): readonly string[] =>
  given.flatMap((text) => text.split(',')).filter((s) => s !== '');
