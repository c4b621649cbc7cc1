import { choice, field, integer, orNull, type Field } from "@kto/core/config";

/** Fields of the methods that put their `rows`, "rows" or "pairs", in another order in each epoch. */
export function orderFields(rows: string): { trainSamplingStrategy: Field<"random" | "sequential">; dataSeed: Field<number | null> } {
  return {
    trainSamplingStrategy: field(choice(["random", "sequential"]), "random", {
      group: "data",
      fate: "different",
      help: `the order of ${rows} in an epoch: torch's random permutation, or that of the data`,
      notes: "no group_by_length",
    }),
    dataSeed: field(orNull(integer(0)), null, { group: "seeds", help: `seed of the order of ${rows}; null is seed` }),
  };
}

/** The arguments that say in which order rows are trained on. */
export interface OrderArguments {
  trainSamplingStrategy: "random" | "sequential";
  dataSeed: number | null;
  seed: number;
}

/** Seed of the order of rows; undefined where it is that of the data. */
export function shuffleSeedOf({ trainSamplingStrategy, dataSeed, seed }: OrderArguments): number | undefined {
  return trainSamplingStrategy === "random" ? (dataSeed ?? seed) : undefined;
}
