import { spawn } from "node:child_process";

/** The GPU's memory in use as the driver tells it, watched by `nvidia-smi` in a process of its own. */
export interface DriverMemory {
  /** MiB in use when the watch began. */
  readonly startMiB: number | undefined;
  /** MiB, the most that was seen since the last call; undefined without `nvidia-smi`. */
  takePeakMiB(): Promise<number | undefined>;
  stop(): void;
}

const intervalMs = 20;

/** Starts watching the first GPU, every 20 ms. Everything on that GPU is counted. */
export async function watchDriverMemory(): Promise<DriverMemory> {
  const query = ["--query-gpu=memory.used", "--format=csv,noheader,nounits", `--loop-ms=${intervalMs}`];
  const watch = spawn("nvidia-smi", ["--id=0", ...query], { stdio: ["ignore", "pipe", "ignore"] });
  let peak: number | undefined;
  let seen = (): void => undefined;
  watch.stdout.setEncoding("utf8").on("data", (text: string) => {
    for (const value of text.split("\n").filter(Boolean).map(Number)) if (Number.isFinite(value)) peak = Math.max(peak ?? 0, value);
    seen();
  });
  const next = new Promise<void>((resolve) => {
    seen = resolve;
    watch.on("error", () => resolve());
    watch.on("exit", () => resolve());
  });
  await next;
  return {
    startMiB: peak,
    async takePeakMiB() {
      await new Promise((resolve) => setTimeout(resolve, 4 * intervalMs));
      const taken = peak;
      peak = peak === undefined ? undefined : 0;
      return taken;
    },
    stop: () => void watch.kill(),
  };
}
