/**
 * How the ranks of one run speak with each other: as many trainers, each with a device, the model and all of the data, of which each takes its share. Every
 * rank makes the same calls in the same order; several may be under way at once.
 */
export interface Collective {
  /** This trainer's place, from 0. */
  readonly rank: number;
  /** How many trainers there are. */
  readonly size: number;
  /** Adds up numbers over all ranks, in place and in the order of the ranks: every rank ends with the same bits. All bring as many. */
  sum(values: Float32Array): Promise<void>;
  /** The numbers of every rank, by rank, as they were (f64). A rank brings as many as it likes. */
  gather(numbers: readonly number[]): Promise<readonly (readonly number[])[]>;
}

/** A run of one trainer; the loop asks it nothing. */
export const alone: Collective = {
  rank: 0,
  size: 1,
  sum: async () => undefined,
  gather: async (numbers) => [numbers],
};
