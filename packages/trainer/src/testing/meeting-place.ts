import type { Device, ParameterBucket } from "@kto/tensor";
import type { Collective } from "../index.js";

/** What joins trainers of one process and one device, which meet at each call: what each brings is there when all have come. */
export function meetingPlace(device: Device, size: number): Collective[] {
  const rounds: { brought: Float32Array[]; isFull: Promise<void>; fill: () => void }[] = [];
  const turns = Array.from({ length: size }, () => 0);
  async function meet(rank: number, numbers: ArrayLike<number>): Promise<Float32Array[]> {
    const turn = turns[rank]!++;
    if (!rounds[turn]) {
      let fill = (): void => undefined;
      const isFull = new Promise<void>((resolve) => (fill = resolve));
      rounds[turn] = { brought: [], isFull, fill };
    }
    const round = rounds[turn];
    round.brought[rank] = Float32Array.from(numbers);
    if (Object.keys(round.brought).length === size) round.fill();
    await round.isFull;
    return round.brought;
  }
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    gather: async (numbers) => (await meet(rank, numbers)).map((of) => Array.from(of)),
    async sum(bucket: ParameterBucket) {
      const brought = await meet(rank, (await bucket.flat.read()) as Float32Array);
      const total = brought[0]!.map((_, index) => brought.reduce((sum, of) => sum + of[index]!, 0));
      device.writeBytes(bucket.flat, new Uint8Array(total.buffer));
    },
  }));
}
