import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What the launches of one variant of a kernel came to in a step that was recorded. */
export interface KernelMeasurement {
  /** "4 × 512" */
  run: string;
  launches: number;
  ms: number;
}

/** What is known of the kernels of one recorded file. */
export interface MeasuredSteps {
  /** Path from the root of the repository. */
  path: string;
  device: string;
  date: string;
  /** By `kernel variant`, in the order of the runs; launches with different specs are added. */
  kernels: Map<string, KernelMeasurement[]>;
}

/** The part of a file of `npm run bench -- kto-step --profile --out` that is read here. */
interface ProfiledFile {
  device?: string;
  date?: string;
  results?: ProfiledStep[];
}
interface ProfiledStep {
  tokensPerRow: number;
  batch: number;
  /** Updates that `hottest` adds up; two where nothing says so. */
  profiledUpdates?: number;
  hottest?: { label: string; count: number; totalMs: number }[];
}

const folder = "bench/results";

/** Times of kernels in recorded steps, the newest file first. Only the hottest kernels of a step are recorded. */
export function readKernelMeasurements(root: string): MeasuredSteps[] {
  const files = readdirSync(join(root, folder)).filter((name) => name.endsWith(".json"));
  return files
    .flatMap((name): MeasuredSteps[] => {
      const { device, date, results } = JSON.parse(readFileSync(join(root, folder, name), "utf8")) as ProfiledFile;
      if (device === undefined || date === undefined || !Array.isArray(results)) return [];
      const kernels = new Map<string, KernelMeasurement[]>();
      for (const step of results)
        for (const [kernel, measured] of kernelsOf(step)) kernels.set(kernel, [...(kernels.get(kernel) ?? []), measured]);
      return kernels.size > 0 ? [{ path: `${folder}/${name}`, device, date, kernels }] : [];
    })
    .sort((a, b) => (a.date > b.date ? -1 : 1));
}

function kernelsOf({ tokensPerRow, batch, profiledUpdates = 2, hottest = [] }: ProfiledStep): Map<string, KernelMeasurement> {
  const kernels = new Map<string, KernelMeasurement>();
  for (const { label, count, totalMs } of hottest) {
    const key = label.split(" ").slice(0, 2).join(" ");
    const { launches, ms } = kernels.get(key) ?? { launches: 0, ms: 0 };
    kernels.set(key, {
      run: `${batch} × ${tokensPerRow}`,
      launches: launches + count / profiledUpdates,
      ms: ms + totalMs / profiledUpdates,
    });
  }
  return kernels;
}
