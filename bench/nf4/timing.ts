import type { Device } from "@kto/tensor";

const warmUpMs = 350;

/** Times of what a body records, in microseconds on the GPU. */
export interface Timing {
  total: number;
  /** By kernel, hottest first. */
  parts: [kernel: string, micros: number][];
}

/** Median of five rounds, from timestamps, after a warm-up; on a software adapter one round without. */
export async function time(device: Device, body: () => void): Promise<Timing> {
  const { software } = device.capabilities;
  const start = performance.now();
  let batch = software ? 1 : 4;
  for (let isWarm = false; !isWarm;) {
    const before = performance.now();
    for (let i = 0; i < batch; i++) body();
    await device.sync();
    if (!software && performance.now() - before < 20) batch = Math.min(200, 2 * batch);
    isWarm = software || performance.now() - start >= warmUpMs;
  }
  const rounds: Timing[] = [];
  for (let round = 0; round < (software ? 1 : 5); round++) {
    const count = software ? 1 : Math.max(3, Math.min(60, batch));
    if (!software) for (let i = 0; i < batch; i++) body();
    const { timings } = await device.recorder.profile(() => {
      for (let i = 0; i < count; i++) body();
    });
    const parts = timings.map(({ label, totalMs }): [string, number] => [label.split(" ")[0]!, (1000 * totalMs) / count]);
    rounds.push({ total: parts.reduce((sum, [, micros]) => sum + micros, 0), parts });
  }
  return rounds.sort((a, b) => a.total - b.total)[Math.floor(rounds.length / 2)]!;
}
