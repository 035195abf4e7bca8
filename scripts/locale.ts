import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { installed, say } from './cache.js';

const NAME = 'en_US.UTF-8';

/**
 * Environment variables under which a child process finds the locale en_US.UTF-8, which onnxruntime's
 * StringNormalizer asks for by name. Where the system lacks it, it is compiled into the cache; where it cannot be
 * compiled either, the child has to do without.
 */
export async function unicodeLocale(): Promise<Readonly<Record<string, string>>> {
  const { stdout } = await execa('locale', ['-a'], { reject: false });
  if (/^en_US\.utf-?8$/im.test(stdout ?? '')) return {};
  const directory = await installed('locale', `${NAME} 1`, async (target) => {
    const compiled = await execa('localedef', ['-i', 'en_US', '-f', 'UTF-8', join(target, NAME)], {
      reject: false,
    });
    if (compiled.failed) say(`The locale ${NAME} cannot be made here; tests of StringNormalizer may fail.`);
  });
  const known = process.env.LOCPATH;
  return { LOCPATH: known === undefined ? directory : `${directory}${delimiter}${known}` };
}
