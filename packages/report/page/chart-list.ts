import type { PageData } from "../src/page-data.js";

/** A chart and the metrics that it shows. */
export interface ChartSpec {
  id: string;
  title: string;
  metrics: readonly string[];
}

/** Charts of what every run logs, in the order of the page. A metric `eval_x` stands beside x. */
const known: readonly Omit<ChartSpec, "id">[] = [
  { title: "Loss", metrics: ["loss", "nll_loss"] },
  { title: "Rewards", metrics: ["rewards/chosen", "rewards/rejected"] },
  { title: "Margins", metrics: ["rewards/margins"] },
  { title: "Accuracy", metrics: ["rewards/accuracies", "mean_token_accuracy"] },
  { title: "KL", metrics: ["kl"] },
  { title: "Gradient norm", metrics: ["grad_norm"] },
  { title: "Learning rate", metrics: ["learning_rate"] },
  { title: "Log-probabilities", metrics: ["logps/chosen", "logps/rejected"] },
  { title: "Entropy", metrics: ["entropy"] },
  { title: "Tokens a second", metrics: ["tokens_per_second"] },
  { title: "Samples a second", metrics: ["samples_per_second"] },
  { title: "Time of an update, ms", metrics: ["step_time_ms"] },
  { title: "GPU memory", metrics: ["gpu_memory_bytes"] },
  { title: "Logits", metrics: ["logits/chosen", "logits/rejected"] },
];

/** The charts that the runs have something to show in; a metric that no chart knows gets one of its own. */
export function chartsOf({ runs }: PageData): ChartSpec[] {
  const names = new Set(runs.flatMap(({ series }) => series.map(({ name }) => name)));
  const withEvaluations = (metrics: readonly string[]): string[] =>
    metrics.flatMap((name) => [name, `eval_${name}`]).filter((name) => names.has(name));
  const charts = known.map(({ title, metrics }) => ({ title, metrics: withEvaluations(metrics) }));
  const taken = new Set(charts.flatMap(({ metrics }) => metrics));
  for (const name of names) {
    if (taken.has(name)) continue;
    const base = name.replace(/^eval_/, "");
    const metrics = withEvaluations([base]);
    for (const metric of metrics) taken.add(metric);
    charts.push({ title: base, metrics });
  }
  return charts.filter(({ metrics }) => metrics.length > 0).map((chart, index) => ({ ...chart, id: `chart-${index}` }));
}
