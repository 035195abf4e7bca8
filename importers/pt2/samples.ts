import { type Literal, literal, scalarLiteral } from '../../src/ir/literal.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { scalarTypeNumber } from '../fx/fx-values.js';
import { bytesPerElement, listOf, scalarTypeOf, textOf, wholeOf } from '../fx/schema.js';
import { isArray, isObject, parseJson } from './json.js';
import { leavesIn } from './unpickle.js';
import type { Member } from './zip.js';

/** Both in the order of the program's arguments and results; undefined for what is no tensor. */
export interface Samples {
  inputs(): readonly (Literal | undefined)[] | undefined;
  outputs(): readonly (Literal | undefined)[] | undefined;
}

/** The file in an archive that has the results of PyTorch itself, as scripts/export-pt2.py writes it. */
export const sampleOutputs = 'sample_outputs.json';

/** Samples are a convenience: those that cannot be read are none. */
export const samplesIn = (inputs: Member | undefined, outputs: Member | undefined): Samples => ({
  inputs: () =>
    readable(inputs, ({ blob, name }) =>
      blob.byteLength > 0
        ? leavesIn(blob, name).map((v) => {
            if (typeof v === 'number' || typeof v === 'bigint')
              return scalarLiteral('i64', BigInt(Math.trunc(Number(v))));
            return typeof v === 'object' ? v : undefined;
          })
        : undefined,
    ),
  outputs: () =>
    readable(outputs, ({ blob, name }) => {
      const parsed = parseJson(new TextDecoder().decode(blob.read()), name);
      return isArray(parsed)
        ? parsed.map((entry) => {
            if (!isObject(entry)) return undefined;
            const dtype = scalarTypeOf(scalarTypeNumber(textOf(entry.dtype, name)), name);
            const shape = listOf(entry.shape, name).map((d) => wholeOf(d, name));
            const bytes = new Uint8Array(Buffer.from(textOf(entry.data, name), 'base64'));
            const count = shape.reduce((a, b) => a * b, 1);
            return count * bytesPerElement(dtype) === bytes.byteLength
              ? literal(dtype, shape, bytes)
              : undefined;
          })
        : undefined;
    }),
});

function readable<T>(member: Member | undefined, read: (member: Member) => T): T | undefined {
  try {
    return member && read(member);
  } catch (e) {
    if (e instanceof CompileError) return undefined;
    throw e;
  }
}
