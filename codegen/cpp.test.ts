import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dimOf, evaluate, formulas, type Values, values } from '../src/ir/dims.fixtures.js';
import type { DType } from '../src/ir/type.js';
import { withTemporaryDirectory } from '../src/support/temporary.js';
import { Cpp, comment, cpp, ctype, dimText, integer, join, number, str } from './cpp.js';

const run = promisify(execFile);
const include = fileURLToPath(new URL('../kernels/include', import.meta.url));

/** What a program prints, one line each. Compiled with warnings as errors. */
const printed = (source: Cpp): Promise<readonly string[]> =>
  withTemporaryDirectory('ait-cpp-test', async (dir) => {
    const [file, binary] = [joinPath(dir, 'main.cpp'), joinPath(dir, 'main')];
    await writeFile(file, `${source}\n`);
    await run('g++', [
      '-std=c++17',
      '-O0',
      '-Wall',
      '-Wextra',
      '-Werror',
      `-I${include}`,
      file,
      '-o',
      binary,
    ]);
    const { stdout } = await run(binary, { maxBuffer: 1 << 26 });
    return stdout.trimEnd().split('\n');
  });

describe('templates', () => {
  const lines = [cpp`a();`, cpp`b();`];
  test.each([
    [
      'common indentation goes',
      cpp`
        if (x) {
          y();
        }
      `,
      'if (x) {\n  y();\n}',
    ],
    [
      'a hole keeps its column',
      cpp`
        {
          ${lines}
        }
      `,
      '{\n  a();\n  b();\n}',
    ],
    [
      'a hole inside a line is indented as the line',
      cpp`
        {
          x = ${new Cpp('f(\n  1)')};
        }
      `,
      '{\n  x = f(\n    1);\n}',
    ],
    [
      'a line of an empty hole goes',
      cpp`
        a();
        ${false}
        ${[]}
        ${undefined}
        b();
      `,
      'a();\nb();',
    ],
    ['an empty hole beside text goes alone', cpp`a(${undefined});`, 'a();'],
    [
      'blank lines stay',
      cpp`
        a();

        b();
      `,
      'a();\n\nb();',
    ],
    ['numbers', cpp`${-3} ${2n ** 63n}`, '-3 9223372036854775808'],
    [
      'templates nest',
      cpp`
        {
          ${cpp`
            {
              ${lines}
            }
          `}
        }
      `,
      '{\n  {\n    a();\n    b();\n  }\n}',
    ],
    ['nothing', cpp``, ''],
    ['pieces are joined', join(lines, ' '), 'a(); b();'],
  ])('%s', (_, got, want) => {
    expect(got.text).toBe(want);
  });

  test('a fraction is no hole', () => {
    expect(() => cpp`${1.5}`).toThrow('use number()');
    expect(() => cpp`${2 ** 60}`).toThrow('not an integer');
  });
});

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 40 }),
  fc.constantFrom(
    '*/ int x;',
    '??/',
    'a\\',
    'end\n#define x',
    '"; system("x"); "',
    '\u2028',
    '\r',
    '%:include',
    '\\u000a',
  ),
);

test('text in literals comes back byte for byte, and comments end with their line', async () => {
  const texts = fc.sample(hostile, { numRuns: 300, seed: 1 });
  const checks = texts.map((s) => {
    const bytes = [...Buffer.from(s, 'utf8')];
    const array = new Cpp(`{${[...bytes, 0].join(', ')}}`);
    return cpp`
      {  ${comment(s)}
        const unsigned char want[] = ${array};
        const char got[] = ${str(s)};
        std::printf("%d\\n", sizeof(got) == ${bytes.length + 1} && std::memcmp(got, want, sizeof(got)) == 0);
      }
    `;
  });
  const lines = await printed(cpp`
    #include <cstdio>
    #include <cstring>
    int main() {
      ${checks}
    }
  `);
  expect(lines).toEqual(Array(300).fill('1'));
});

test('a comment is one line of plain characters', () => {
  fc.assert(
    fc.property(hostile, (s) => {
      expect(comment(s).text).toMatch(/^\/\/( [\x20-\x7e]{0,99}[\x21-\x7e])?$/);
      expect(comment(s).text).not.toMatch(/\\|\?\?/);
    }),
  );
});

test('dims have the same values in C++', async () => {
  const cases = fc
    .sample(fc.tuple(formulas, fc.array(values, { minLength: 4, maxLength: 4 })), { numRuns: 400, seed: 7 })
    .map(([f, places], i) => ({ f, places, i, dim: dimOf(f) }));
  const name = (s: string): Cpp => new Cpp(s);
  const rows: { at: Values; i: number; want: number }[] = [];
  for (const { f, places, i } of cases)
    for (const at of places) {
      const want = evaluate(f, at);
      if (want !== undefined) rows.push({ at, i, want });
    }
  expect(rows.length).toBeGreaterThan(800);
  const lines = await printed(cpp`
    #include <cinttypes>
    #include <cstdio>
    #include "ait/run.h"
    ${cases.map(
      ({ dim, i }) => cpp`
        int64_t f${i}([[maybe_unused]] int64_t a, [[maybe_unused]] int64_t b, [[maybe_unused]] int64_t c) {
          return ${dimText(dim, name)};
        }
      `,
    )}
    int main() {
      ${rows.map(({ i, at }) => cpp`std::printf("%" PRId64 "\\n", f${i}(${at.a}, ${at.b}, ${at.c}));`)}
    }
  `);
  const got = lines.map(Number);
  expect(rows.flatMap(({ want }, k) => (got[k] === want ? [] : [{ ...rows[k], got: got[k] }]))).toEqual([]);
});

test('numbers and integers read back exactly', async () => {
  const doubles = [0, -0, 1, -1.5, 1e21, 5e-324, 1.7976931348623157e308, 0.1, Infinity, -Infinity, 123456789];
  const floats = [...doubles.map(Math.fround), 16777217, 3.4028234663852886e38, 1e-45].map(Math.fround);
  const whole: readonly (readonly [DType, bigint])[] = [
    ['i64', -(2n ** 63n)],
    ['i64', 2n ** 63n - 1n],
    ['u64', 2n ** 64n - 1n],
    ['i32', -(2n ** 31n)],
    ['i32', 2n ** 31n - 1n],
    ['u32', 2n ** 32n - 1n],
    ['i8', -128n],
    ['u8', 255n],
    ['u16', 65535n],
    ['bool', 1n],
  ];
  const hex = (x: number, wide: boolean): string => {
    const view = new DataView(new ArrayBuffer(8));
    if (wide) view.setFloat64(0, x);
    else view.setFloat32(0, x);
    return wide ? view.getBigUint64(0).toString(16) : view.getUint32(0).toString(16);
  };
  const lines = await printed(cpp`
    #include <cinttypes>
    #include <cstdio>
    #include <cstring>
    #include <limits>
    void print(double x) { uint64_t b; std::memcpy(&b, &x, 8); std::printf("%" PRIx64 "\\n", b); }
    void print(float x) { uint32_t b; std::memcpy(&b, &x, 4); std::printf("%" PRIx32 "\\n", b); }
    void print(int64_t x) { std::printf("%" PRId64 "\\n", x); }
    void print(uint64_t x) { std::printf("%" PRIu64 "\\n", x); }
    int main() {
      ${doubles.map((x) => cpp`print(${number(x, 'f64')});`)}
      ${floats.map((x) => cpp`print(${number(x)});`)}
      ${whole.map(([t, x]) => cpp`print(${new Cpp(t.startsWith('u') || t === 'bool' ? 'uint64_t' : 'int64_t')}{${integer(x, t)}});`)}
    }
  `);
  expect(lines).toEqual([
    ...doubles.map((x) => hex(x, true)),
    ...floats.map((x) => hex(x, false)),
    ...whole.map(([, x]) => String(x)),
  ]);
  expect(number(Number.NaN, 'f64').text).toBe('std::numeric_limits<double>::quiet_NaN()');
});

test('every element type has a spelling', () => {
  expect([ctype.f32, ctype.i4, ctype.bool, ctype.bf16].map(String)).toEqual([
    'float',
    'uint8_t',
    'bool',
    'ait::bf16',
  ]);
});
