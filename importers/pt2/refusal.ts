import { CompileError } from '../../src/support/diagnostic.js';

const recipe = [
  'export the module in Python and convert that file:',
  '      import torch',
  '      program = torch.export.export(module.eval(), (example_input,))',
  '      torch.export.save(program, "model.pt2")',
].join('\n');

/** A file that holds no graph we can read: what it is, and how to make one. */
export const refuse = (what: string): CompileError => new CompileError('not-an-export', what, recipe);
