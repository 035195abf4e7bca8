import type { Value } from '../../src/ir/graph.js';
import { importIf } from './import-if.js';
import { importLoop } from './import-loop.js';
import { importBatchedScan, importScan } from './import-scan.js';
import type { Site } from './nodes.js';

/** Imports If, Loop and Scan with their bodies; undefined for any other operator. */
export function controlFlow(site: Site): readonly Value[] | undefined {
  switch (site.node.opType) {
    case 'If':
      return importIf(site);
    case 'Loop':
      return importLoop(site);
    case 'Scan':
      return site.opset < 9 ? importBatchedScan(site) : importScan(site);
    default:
      return undefined;
  }
}
