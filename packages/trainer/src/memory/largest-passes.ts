import { passSize, splitIntoPasses, type PassLayout, type PassSize, type PassUnit } from "./passes.js";

/** The passes of a batch, were it not split. */
export interface BatchPasses {
  /** Of each kind of pass that the method has, always as many; the first is the one that is trained on. */
  separate: readonly [trained: readonly PassUnit[], ...others: (readonly PassUnit[])[]];
  /** Of a batch whose first pass may take others along: what goes along with each of the units that are trained on. */
  alongside: readonly PassSize[] | undefined;
}

/** The passes of batches that go through together. */
export function passesOfAll(batches: readonly BatchPasses[]): BatchPasses {
  const [first, ...others] = batches as readonly [BatchPasses, ...BatchPasses[]];
  if (others.length === 0) return first;
  const [trained, ...rest] = first.separate.map((_, kind) => batches.flatMap(({ separate }) => separate[kind]!));
  return {
    separate: [trained!, ...rest],
    alongside: first.alongside && batches.flatMap(({ alongside }) => alongside!),
  };
}

/** The most tokens, and scored ones, that a pass of each kind has under a layout, and the most batches: of some groups that go through together, and of batches that go alone. */
export function largestPasses(
  groups: Iterable<readonly BatchPasses[]>,
  layout: PassLayout,
): Required<Pick<PassLayout, "largestPass" | "largestJoint" | "microBatchesPerPass">> {
  const largestPass: PassSize = { numTokens: 0, numScored: 0 };
  const largestJoint: PassSize = { numTokens: 0, numScored: 0 };
  let microBatchesPerPass = 1;
  for (const group of groups) {
    microBatchesPerPass = Math.max(microBatchesPerPass, group.length);
    const { separate, alongside } = passesOfAll(group);
    const tokensPerPass = group.length > 1 ? Infinity : layout.tokensPerPass;
    for (const [kind, units] of separate.entries()) {
      const passes = splitIntoPasses(units, tokensPerPass, (unit) => unit);
      for (const pass of passes) grow(largestPass, passSize(pass));
      const first = passes[0];
      if (kind === 0 && first && alongside && !layout.isSeparate) grow(largestJoint, jointSize(first, alongside));
    }
  }
  return { largestPass, largestJoint, microBatchesPerPass };
}

/** Tokens of the units of a joint pass and of what goes along with them, and what is scored of the latter. */
export function jointSize(units: readonly PassUnit[], alongside: readonly PassSize[]): PassSize {
  let { numTokens } = passSize(units);
  let numScored = 0;
  for (let index = 0; index < units.length; index++) {
    numTokens += alongside[index]!.numTokens;
    numScored += alongside[index]!.numScored;
  }
  return { numTokens, numScored };
}

function grow(size: PassSize, other: PassSize): void {
  size.numTokens = Math.max(size.numTokens, other.numTokens);
  size.numScored = Math.max(size.numScored, other.numScored);
}
