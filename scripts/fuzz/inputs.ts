import { Random, seedOf } from "./random.js";
import type { FuzzTarget } from "./target.js";

/** Input `index` of a target: first its seeds as they are, then changed ones; the same for the same seed number. */
export function inputAt(target: FuzzTarget, seeds: readonly Uint8Array[], seed: number, index: number): Uint8Array {
  if (index < seeds.length) return seeds[index]!;
  const random = new Random(seedOf(seed, target.name, index));
  return target.mutate(random.pick(seeds), random);
}
