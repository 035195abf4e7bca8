import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadExport } from '../../src/load-export.js';
import { childModule } from '../../src/support/child-module.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';
import { isProgram, runProgram } from '../cache.js';
import { torchEnv } from '../torch-env.js';

/**
 * Measures what it costs to read an archive of a gigabyte: seconds, and memory beyond that of the process. The archive
 * is made by PyTorch in a temporary directory and is gone afterwards. `--archive FILE` measures one that is there.
 */
const exec = promisify(execFile);
const mostSeconds = 3;
const mostMebibytes = 300;

const make = `
import sys, torch
class Large(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(*[torch.nn.Linear(4096, 4096, bias=False) for _ in range(16)])
    def forward(self, x):
        return self.layers(x)
with torch.no_grad():
    torch.export.save(torch.export.export(Large().eval(), (torch.zeros(1, 4096),)), sys.argv[1])
`;

interface Measured {
  readonly bytes: number;
  readonly seconds: number;
  readonly before: number;
  readonly peak: number;
  readonly nodes: number;
}

/** In a process of its own: reads the archive, and says what it took. */
async function measure(path: string): Promise<void> {
  // KiB on Linux.
  const resident = (): number => process.resourceUsage().maxRSS / 1024;
  const before = resident();
  const start = performance.now();
  const { about, source } = await loadExport(path, {}, () => {});
  const seconds = (performance.now() - start) / 1000;
  const measured: Measured = {
    bytes: source.bytes,
    seconds,
    before,
    peak: resident(),
    nodes: about.nodes.length,
  };
  console.log(JSON.stringify(measured));
}

async function main(given: string | undefined): Promise<void> {
  await withTemporaryDirectory('ait-large', async (scratch) => {
    const archive = given ?? join(scratch, 'large.pt2');
    if (given === undefined) await exec('nice', [await torchEnv(), '-c', make, archive]);
    const { path, execArgv } = childModule('large', import.meta.url);
    const { stdout } = await exec(process.execPath, [...execArgv, path, '--measure', archive]);
    const m = JSON.parse(stdout) as Measured;
    const beyond = m.peak - m.before;
    console.log(
      `${(m.bytes / 2 ** 30).toFixed(2)} GiB, ${m.nodes} nodes: read in ${m.seconds.toFixed(2)} s, ` +
        `peak memory ${m.peak.toFixed(0)} MiB, ${beyond.toFixed(0)} MiB more than before`,
    );
    if (m.seconds > mostSeconds || beyond > mostMebibytes) process.exitCode = 1;
  });
}

if (isProgram(import.meta.url))
  await runProgram(async () => {
    const [word, path] = process.argv.slice(2);
    if (word === '--measure' && path !== undefined) await measure(path);
    else await main(word === '--archive' ? path : undefined);
  });
