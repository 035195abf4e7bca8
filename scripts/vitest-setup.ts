import { setUp } from './setup.js';

/** Runs once before the tests: what they need beyond npm packages is brought into the cache, on the first run only. */
export const setup = (): Promise<void> => setUp();
