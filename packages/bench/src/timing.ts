import type { Device } from "@kto/tensor";

/** How something is timed. */
export interface TimingOptions {
  device: Device;
  warmUpMs: number;
  signal: AbortSignal | undefined;
}

/** Repeats whose median is taken, and what each comes to at least, unless it is one run alone. */
const numRounds = 7;
const roundMs = 20;
const mostRuns = 200;

/**
 * Median time of what `record` records, in milliseconds, after `warmUpMs` of it: of its kernels alone where the device has timestamps, else of all, many runs
 * together. What it makes is freed.
 */
export async function medianMs(record: () => void, { device, warmUpMs, signal }: TimingOptions): Promise<number> {
  const run = (count: number): void => {
    for (let i = 0; i < count; i++) device.scope("bench", record);
  };
  let count = 1;
  const started = performance.now();
  do {
    const before = performance.now();
    run(count);
    await device.sync();
    signal?.throwIfAborted();
    if (performance.now() - before < roundMs) count = Math.min(2 * count, mostRuns);
  } while (performance.now() - started < warmUpMs);
  const { timestampQuery, software } = device.capabilities;
  const rounds: number[] = [];
  for (let round = 0; round < (software ? 3 : numRounds); round++) {
    signal?.throwIfAborted();
    if (timestampQuery && !software) {
      run(count); // so that the GPU is at work when the first is timed
      const { timings } = await device.recorder.profile(() => run(count));
      rounds.push(timings.reduce((sum, { totalMs }) => sum + totalMs, 0) / count);
    } else {
      const before = performance.now();
      run(count);
      await device.sync();
      rounds.push((performance.now() - before) / count);
    }
  }
  return median(rounds);
}

/** The middle one of some numbers; NaN of none. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
