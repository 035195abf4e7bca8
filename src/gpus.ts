import { execa } from 'execa';

/** What the kernels need of an NVIDIA GPU, ten times the compute capability. */
const least = 80;

/** The architectures of this machine's NVIDIA GPUs, each once, as `nvidia-smi` tells them; none where it is not there. */
export async function nvidiaArchs(): Promise<readonly string[]> {
  const query = ['--query-gpu=compute_cap', '--format=csv,noheader'];
  const { stdout, failed } = await execa('nvidia-smi', query, { reject: false, timeout: 10_000 });
  if (failed) return [];
  const found = [...stdout.matchAll(/^(\d+)\.(\d)\s*$/gm)].map(([, major, minor]) => Number(major! + minor!));
  const archs = found.filter((c) => c >= least).map((c) => `sm_${c}${c === 90 ? 'a' : ''}`);
  return [...new Set(archs)];
}
