import { MersenneTwister } from "@kto/datasets";

/** A number from 0 to below 1. */
export function uniform(random: MersenneTwister): number {
  return random.nextUint32() / 2 ** 32;
}

/** A draw from N(0, 1), by Box and Muller. */
export function normal(random: MersenneTwister): number {
  return Math.sqrt(-2 * Math.log(1 - uniform(random))) * Math.cos(2 * Math.PI * uniform(random));
}

/** An integer from 0 to below `count`. */
export function below(random: MersenneTwister, count: number): number {
  return Math.floor(uniform(random) * count);
}

/** A generator of its own for each name under one seed, so that what is drawn for one does not depend on the others. */
export function generatorFor(seed: number, name: string): MersenneTwister {
  let hash = seed >>> 0;
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193) >>> 0;
  return new MersenneTwister(hash);
}
