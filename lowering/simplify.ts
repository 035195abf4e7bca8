import { attentionHeads } from './attention-heads.js';
import { simplifyChains } from './simplify-chains.js';
import { simplifyMovement } from './simplify-movement.js';
import { simplifyPointwise } from './simplify-pointwise.js';
import { simplifyReshapes } from './simplify-reshapes.js';
import { type SyncPass, settle } from './steps.js';

/**
 * Removes what does nothing and merges what two nodes do in a row: transposes, reshapes, slices, pads and
 * concatenations that cancel or combine, pointwise nodes whose expression becomes shorter, constants of one
 * value that move into expressions, constants that a movement only rearranges, pads that a convolution does
 * itself, reshapes between a contraction and what its epilogue could take. It runs first and again after
 * every pass that leaves such nodes behind, because all later patterns are written for what it yields.
 */
export const simplify: SyncPass = {
  name: 'simplify',
  run: (g) =>
    settle(g, [
      simplifyPointwise,
      ...simplifyMovement,
      ...simplifyReshapes(g),
      ...attentionHeads,
      ...simplifyChains,
    ]),
};
