import type { Run, Sample } from "../run/run.js";

/** What is said of a run for a test; the rest is as of any. */
export interface RunForTest {
  numSteps: number;
  name?: string;
  loss?: (step: number) => number | null;
  /** Further metrics, the same at every step. */
  more?: Record<string, number>;
  samples?: readonly Sample[];
  evaluations?: Run["evaluations"];
}

/** A finished run with the metrics that KTO logs. */
export function runOf({
  numSteps,
  name = "outputs",
  loss = (step) => 1 / step,
  more = {},
  samples = [],
  evaluations = [],
}: RunForTest): Run {
  return {
    name,
    isFinished: true,
    records: Array.from({ length: numSteps }, (_, index) => {
      const step = index + 1;
      return {
        step,
        epoch: step / numSteps,
        loss: loss(step),
        grad_norm: 1 + Math.sin(step) / 3,
        learning_rate: 1e-5 * (1 - step / numSteps),
        "rewards/chosen": Math.cos(step / 99),
        "rewards/rejected": -Math.cos(step / 77),
        "rewards/margins": Math.sin(step / 55),
        "logps/chosen": -120 - Math.sin(step),
        "logps/rejected": -130 - Math.cos(step),
        kl: Math.max(0, Math.sin(step / 10)),
        entropy: 1.5 + Math.cos(step) / 7,
        step_time_ms: 500 + 10 * Math.cos(step / 3),
        tokens_per_second: 12_000 + Math.sin(step),
        samples_per_second: 14 + Math.sin(step) / 9,
        gpu_memory_bytes: 2_736_000_000,
        ...more,
      };
    }),
    evaluations,
    config: [
      { name: "learning_rate", value: "1.e-5", isDefault: false },
      { name: "beta", value: "0.1", isDefault: true },
    ],
    results: { train_loss: 0.4, train_runtime: 56.2, peak_gpu_memory_bytes: 2_800_000_000 },
    data: {
      counts: { prepared: 10, dropped: 2 },
      drops: ["2 rows: the prompt fills max_length"],
      classBalance: { desirable: 6, undesirable: 4 },
      histogram: [
        { from: 0, to: 64, count: 3 },
        { from: 64, to: 128, count: 7 },
      ],
    },
    samples,
    problems: [],
  };
}
