import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{src,importers,lowering,codegen,kernels,fixtures,scripts,docker}/**/*.test.ts', '*.test.ts'],
    globalSetup: './scripts/vitest-setup.ts',
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
