import type { Storage } from "./tolerances.js";

/** One line of a run's log: metric → value, and `step`. */
export type LogRecord = Record<string, number>;

/** `f32-vs-f64.json` of a run: per metric, how far trl in float32 is from the float64 loop. */
export type RunNoise = Record<string, { max_abs: number }>;

export interface TrajectoryOptions {
  /** Default "f32". */
  storage?: Storage;
  /** Name of the run: `seed-settings` moves 1,000 times less than the others and has floors of its own. */
  run?: string;
  /** Tokens (`mean_token_accuracy`) or pairs (`rewards/accuracies`) that the metric is a mean of. */
  count?: number;
}

/**
 * Largest absolute difference to the float64 log that a metric of one step may have, by the rule of fixtures/README.md:
 *
 *   f32: max(10 · maxAbs, floor)     f16: floor of the f16 column
 *
 * @param maxAbs     `max_abs` of the metric in the run's f32-vs-f64.json
 * @param magnitude  the expected value; for `logps/*` and `kl` in f16, the largest |logps| of the step
 * @throws Error for a metric that the rule does not know
 */
export function trajectoryTolerance(metric: string, maxAbs: number, magnitude: number, options: TrajectoryOptions = {}): number {
  const { storage = "f32" } = options;
  const floor = floorOf(metric, Math.abs(magnitude), options);
  return storage === "f16" ? floor.f16 : Math.max(10 * maxAbs, floor.f32);
}

/** In f16 the mean of (loss − expected) over the steps may not exceed this: noise, but no drift. */
export const meanSignedLossTolerance = 2e-3;

/** Largest absolute difference of a value of the final adapter, in float32. */
export function finalAdapterTolerance(maxAbs: number, run?: string): number {
  return Math.max(10 * maxAbs, run === "seed-settings" ? 4e-7 : 5e-5);
}

/** What a recorded run says of its final adapter: its tensors, or the norm of each. */
export interface RecordedAdapter {
  tensors?: ReadonlyMap<string, Float32Array> | undefined;
  norms?: Readonly<Record<string, number>> | undefined;
}

/**
 * Compares a final adapter, by the names in its file, with a recorded one: every value, or where only norms were recorded the norm of each tensor.
 *
 * @returns one line per tensor that is off, missing or too many; empty when the adapter holds
 */
export function finalAdapterFailures(
  actual: ReadonlyMap<string, Float32Array>,
  { tensors, norms = {} }: RecordedAdapter,
  tolerance: number,
): string[] {
  const expectedNames = tensors ? [...tensors.keys()] : Object.keys(norms);
  const missing = expectedNames.filter((name) => !actual.has(name)).map((name) => `${name}: missing`);
  const extra = [...actual.keys()].filter((name) => !expectedNames.includes(name)).map((name) => `${name}: not recorded`);
  const off = expectedNames.flatMap((name) => {
    const values = actual.get(name);
    if (!values) return [];
    const expected = tensors?.get(name);
    if (expected && expected.length !== values.length) return [`${name}: ${values.length} values, expected ${expected.length}`];
    const norm = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
    const distance = expected
      ? values.reduce((most, value, index) => Math.max(most, Math.abs(value - expected[index]!)), 0)
      : Math.abs(norm - norms[name]!);
    const allowed = expected ? tolerance : tolerance * Math.sqrt(values.length);
    return distance <= allowed ? [] : [`${name}: off by ${distance}, allowed ${allowed}`];
  });
  return [...missing, ...extra, ...off];
}

/** In f16: ‖adapter − expected‖ may be this share of ‖expected − initial‖. */
export const finalAdapterShare = 0.05;

function floorOf(metric: string, magnitude: number, { run, count = 1 }: TrajectoryOptions): Record<Storage, number> {
  const same = (floor: number): Record<Storage, number> => ({ f32: floor, f16: floor });
  if (metric === "learning_rate") return same(1e-12 * magnitude);
  if (metric === "num_tokens" || metric === "step") return same(0);
  if (metric === "loss") return { f32: 3e-5 * Math.max(1, magnitude), f16: 2e-2 * Math.max(1, magnitude) };
  if (metric === "grad_norm") return { f32: 5e-4 * magnitude, f16: 3e-2 * magnitude };
  if (metric === "mean_token_accuracy" || metric === "rewards/accuracies") return { f32: 1 / count, f16: 2 / count };
  if (metric.startsWith("rewards/")) return { f32: run === "seed-settings" ? 3e-5 : 2e-4, f16: 5e-2 };
  if (metric.startsWith("logps/") || metric === "kl") return { f32: 1e-3, f16: 5e-3 * magnitude };
  if (metric.startsWith("logits/") || metric === "entropy") return { f32: 1e-5, f16: 5e-3 };
  throw new Error(`trajectoryTolerance: no rule for metric "${metric}"; expected one of fixtures/README.md; add it there and here`);
}

/**
 * Compares a run's log with the float64 log, step by step, every metric of `expected` or only `metrics`.
 *
 * @returns one line per value that is off, missing or too many; empty when the run holds
 */
export function trajectoryFailures(
  actual: readonly LogRecord[],
  expected: readonly LogRecord[],
  noise: RunNoise,
  options: TrajectoryOptions & { metrics?: readonly string[] } = {},
): string[] {
  const { storage = "f32", metrics } = options;
  const failures: string[] = [];
  if (actual.length !== expected.length) failures.push(`expected ${expected.length} steps, got ${actual.length}`);
  for (const [index, wanted] of expected.entries()) {
    const got = actual[index] ?? {};
    for (const metric of Object.keys(got)) {
      if (metric in noise && !(metric in wanted))
        failures.push(`step ${wanted["step"] ?? index + 1}: ${metric}: expected none, got ${got[metric]}`);
    }
    const largestLogp = Math.max(...Object.entries(wanted).map(([name, value]) => (name.startsWith("logps/") ? Math.abs(value) : 0)));
    for (const metric of metrics ?? Object.keys(wanted)) {
      const value = wanted[metric]!;
      const relative = storage === "f16" && (metric.startsWith("logps/") || metric === "kl");
      const allowed = trajectoryTolerance(metric, noise[metric]?.max_abs ?? 0, relative ? largestLogp : value, options);
      const difference = Math.abs((got[metric] ?? Number.NaN) - value);
      if (difference <= allowed) continue;
      failures.push(
        `step ${wanted["step"] ?? index + 1}: ${metric}: expected ${value}, got ${got[metric]} (difference ${difference.toExponential(2)}, allowed ${allowed.toExponential(1)})`,
      );
    }
  }
  if (storage === "f16" && actual.length > 0) {
    const drift =
      actual.reduce((sum, record, i) => sum + ((record["loss"] ?? Number.NaN) - (expected[i]?.["loss"] ?? Number.NaN)), 0) / actual.length;
    if (!(Math.abs(drift) <= meanSignedLossTolerance))
      failures.push(`loss: mean signed difference ${drift}, allowed ${meanSignedLossTolerance}`);
  }
  return failures;
}
