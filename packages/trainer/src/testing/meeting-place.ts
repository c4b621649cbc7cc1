import type { Collective } from "../index.js";

/** Ranks of one process, and how often they met. */
export interface MeetingPlace {
  readonly ranks: readonly Collective[];
  /** Calls of the first rank, so far. */
  readonly calls: { sums: number; gathers: number };
}

/** What joins trainers of one process, which meet at each call: what each brings is there when all have come. */
export function meetingPlace(size: number): MeetingPlace {
  const rounds: { brought: Float64Array[]; isFull: Promise<void>; fill: () => void }[] = [];
  const turns = Array.from({ length: size }, () => 0);
  const calls = { sums: 0, gathers: 0 };
  async function meet(rank: number, numbers: ArrayLike<number>): Promise<Float64Array[]> {
    const turn = turns[rank]!++;
    if (!rounds[turn]) {
      let fill = (): void => undefined;
      const isFull = new Promise<void>((resolve) => (fill = resolve));
      rounds[turn] = { brought: [], isFull, fill };
    }
    const round = rounds[turn];
    round.brought[rank] = Float64Array.from(numbers);
    if (Object.keys(round.brought).length === size) round.fill();
    await round.isFull;
    return round.brought;
  }
  const ranks = Array.from({ length: size }, (_, rank): Collective => {
    const count = (kind: keyof typeof calls): void => void (rank === 0 && calls[kind]++);
    return {
      rank,
      size,
      async gather(numbers) {
        count("gathers");
        return (await meet(rank, numbers)).map((of) => Array.from(of));
      },
      async sum(values) {
        count("sums");
        const brought = await meet(rank, values);
        values.fill(0);
        for (const of of brought) for (let index = 0; index < values.length; index++) values[index]! += of[index]!;
      },
    };
  });
  return { ranks, calls };
}
