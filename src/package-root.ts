/** The folder of package.json, whether this runs from sources or from dist. */
export const packageRoot = new URL(import.meta.url.endsWith('.ts') ? '../' : '../../', import.meta.url);
