import type { DataSummary, Sample, SampleToken } from "./run.js";

type Unchecked = Readonly<Record<string, unknown>>;

/**
 * A line of samples.jsonl: `prompt` (text or messages), its `split` and `row`, `before` and `after` (texts) with their `finish_reasons`, `tokens` of the latter with
 * `log_ratio`. Without a prompt it is none.
 */
export function samplesOf(line: Unchecked): Sample[] {
  const { prompt, split, row, before, after, tokens } = line;
  const asked = typeof prompt === "string" ? prompt : messagesText(prompt);
  if (asked === undefined) return [];
  const reasons = (line["finish_reasons"] ?? {}) as Unchecked;
  const isCut = { before: reasons["before"] === "length", after: reasons["after"] === "length" };
  const spelt = Array.isArray(tokens) ? tokens.flatMap(tokenOf) : [];
  return [
    {
      prompt: asked,
      ...((split === "train" || split === "eval") && { split }),
      ...(typeof row === "number" && { row }),
      ...(typeof before === "string" && { before }),
      ...(typeof after === "string" && { after }),
      ...((isCut.before || isCut.after) && { isCut }),
      ...(spelt.length > 0 && { tokens: spelt }),
    },
  ];
}

function tokenOf(value: unknown): SampleToken[] {
  const { text, log_ratio: logRatio } = (value ?? {}) as Unchecked;
  if (typeof text !== "string") return [];
  return [{ text, ...(typeof logRatio === "number" && { logRatio }) }];
}

function messagesText(messages: unknown): string | undefined {
  if (!Array.isArray(messages)) return undefined;
  const lines = messages.map((message) => {
    const { role, content } = (message ?? {}) as Unchecked;
    return `${String(role)}: ${typeof content === "string" ? content : JSON.stringify(content)}`;
  });
  return lines.join("\n");
}

/** data_summary.json; what is of another kind than it should be is left out. */
export function dataSummaryOf({ counts, drops, class_balance: balance, histogram }: Unchecked): DataSummary {
  const classes = (balance ?? {}) as Unchecked;
  const numbers = (counts ?? {}) as Unchecked;
  return {
    counts: { prepared: numberOr(numbers["prepared"]), dropped: numberOr(numbers["dropped"]) },
    ...(Array.isArray(drops) && { drops: drops.filter((drop) => typeof drop === "string") }),
    ...(typeof classes["desirable"] === "number" && {
      classBalance: { desirable: numberOr(classes["desirable"]), undesirable: numberOr(classes["undesirable"]) },
    }),
    ...(Array.isArray(histogram) && { histogram: histogram.flatMap(binOf) }),
  };
}

function binOf(value: unknown): { from: number; to: number; count: number }[] {
  const { from, to, count } = (value ?? {}) as Unchecked;
  return typeof from === "number" && typeof to === "number" && typeof count === "number" ? [{ from, to, count }] : [];
}

function numberOr(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
