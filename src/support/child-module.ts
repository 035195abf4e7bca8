import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { silenceOnnxruntime } from './env.js';

/** What `fork` and `new Worker` need to run a module of this package. */
export type ChildModule = { readonly path: string; readonly execArgv: readonly string[] };

/**
 * A sibling of the module at `importer`, by its name without extension. It has the importer's own extension:
 * `.js` in the built package, `.ts` in the sources, which Node can only run with tsx (a development dependency).
 */
export function childModule(name: string, importer: string): ChildModule {
  silenceOnnxruntime();
  const extension = importer.endsWith('.ts') ? '.ts' : '.js';
  const path = fileURLToPath(new URL(`./${name}${extension}`, importer));
  if (extension === '.js') return { path, execArgv: [] };
  return { path, execArgv: ['--import', pathToFileURL(createRequire(importer).resolve('tsx')).href] };
}
