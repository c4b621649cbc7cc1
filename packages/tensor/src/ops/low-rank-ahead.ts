import type { Tensor } from "../tensor.js";
import type { FewRowsLayout } from "./few-rows-layout.js";

/**
 * The a of the low-rank updates of some layers, with which their input is multiplied first. Whoever makes that input may do so along with it and leave the products
 * here, so that they take no launch of their own.
 */
export interface LowRankAhead {
  /** [rank, k] f32 each, in one buffer, ranks multiples of 4 */
  readonly a: readonly Tensor[];
  /** [k] f32: what the input goes through first is a norm with this weight. The norm's scale, a number a row, is not in the products. */
  readonly norm: Tensor | undefined;
  /** [numParts, numRows, sum of ranks] f32, to be added up: x (· norm) · aᵀ, side by side */
  parts: Tensor | undefined;
}

/** Ranks of all of them together. */
export function ranksAhead({ a }: LowRankAhead): number {
  return a.reduce((sum, { shape }) => sum + shape[0]!, 0);
}

/** What was made ahead for a product, if it is of the same updates. */
export function madeAhead(ahead: LowRankAhead | undefined, { a }: Pick<FewRowsLayout, "a">): Tensor | undefined {
  return ahead && ahead.a.length === a.length && ahead.a.every((tensor, index) => tensor === a[index]) ? ahead.parts : undefined;
}
