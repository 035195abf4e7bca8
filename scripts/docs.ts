import { runProgram } from './cache.js';
import { writeReadme } from './docs/readme.js';

/** Fills the generated parts of README.md. */
await runProgram(writeReadme);
