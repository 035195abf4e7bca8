import type { Literal } from '../../src/ir/literal.js';
import { downgrades } from './downgrades.js';
import { type PlainNode, type UpgradeEmitter, withInput } from './upgrade.js';

/** What a step to an older form may ask and write. */
export interface DowngradeEmitter extends UpgradeEmitter {
  /** The constant of a name; undefined where the value is computed. */
  constantNamed(name: string): Literal | undefined;
}

/**
 * A step from the version in which the operator's form changed to the one before. Where there is no way, it tells
 * what the newer version `needs` and leaves the node as it is.
 */
export type Downgrade = (n: PlainNode, e: DowngradeEmitter) => PlainNode;

const newest = 28;

/** Versions in which an operator got what an older one cannot express, the newest first. */
const stepsOf = (opType: string, opset: number, from: number): readonly Downgrade[] => {
  const steps: Downgrade[] = [];
  for (let version = Math.min(from, newest); version > opset; version--) {
    const step = downgrades[version]?.[opType];
    if (step) steps.push(step);
  }
  return steps;
};

export const changesBelow = (opType: string, opset: number, from = newest): boolean =>
  stepsOf(opType, opset, from).length > 0;

/** The same computation in the words of an older operator set. */
export function downgraded(node: PlainNode, opset: number, e: DowngradeEmitter, from = newest): PlainNode {
  let n = node;
  // A step may change the operator, which then has steps of its own.
  for (let version = Math.min(from, newest); version > opset; version--)
    n = downgrades[version]?.[n.opType]?.(n, e) ?? n;
  return n;
}

/** The whole numbers at an input, where they are a constant. */
export function numbersAt(n: PlainNode, at: number, e: DowngradeEmitter): readonly number[] | undefined {
  const name = n.inputs[at];
  return name === undefined ? undefined : e.constantNamed(name)?.numbers();
}

export const withoutInput = (n: PlainNode, at: number): PlainNode =>
  at < n.inputs.length ? withInput(n, at, undefined) : n;
