/** A sum that only grows, by labels. */
class Counter {
  readonly #values = new Map<string, number>();

  add(amount: number, labels: Readonly<Record<string, string | number>> = {}): void {
    const key = Object.entries(labels)
      .map(([name, value]) => `${name}="${value}"`)
      .join(",");
    this.#values.set(key, (this.#values.get(key) ?? 0) + amount);
  }

  lines(name: string): string[] {
    return [...this.#values].map(([labels, value]) => `${name}${labels === "" ? "" : `{${labels}}`} ${value}`);
  }
}

/** How often values were at most so large. */
class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#bounds.forEach((bound, index) => {
      if (value <= bound) this.#counts[index]!++;
    });
    this.#sum += value;
    this.#count++;
  }

  lines(name: string): string[] {
    const buckets = this.#bounds.map((bound, index) => `${name}_bucket{le="${bound}"} ${this.#counts[index]}`);
    return [...buckets, `${name}_bucket{le="+Inf"} ${this.#count}`, `${name}_sum ${this.#sum}`, `${name}_count ${this.#count}`];
  }
}

/** What a server counts, and its text for Prometheus. */
export class Metrics {
  /** By method, path and status; paths are those that there are, so that nobody can make more of them. */
  readonly requests: Counter = new Counter();
  readonly promptTokens: Counter = new Counter();
  readonly generatedTokens: Counter = new Counter();
  /** From the request to its first token, waiting included. */
  readonly timeToFirstToken: Histogram = new Histogram([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]);
  /** Between tokens of a choice, on average over it. */
  readonly timePerToken: Histogram = new Histogram([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]);

  constructor() {
    this.promptTokens.add(0);
    this.generatedTokens.add(0);
  }

  /** The exposition format, version 0.0.4. */
  text({ running, waiting }: { running: number; waiting: number }): string {
    return [
      ...metric("kto_requests_total", "counter", "requests answered, by path and status", this.requests),
      ...metric("kto_answers_running", "gauge", "answers that are made now", gauge(running)),
      ...metric("kto_requests_waiting", "gauge", "requests that wait for the first of their answers to begin", gauge(waiting)),
      ...metric("kto_prompt_tokens_total", "counter", "tokens of the prompts that were taken in", this.promptTokens),
      ...metric("kto_generated_tokens_total", "counter", "tokens that were generated", this.generatedTokens),
      ...metric("kto_time_to_first_token_seconds", "histogram", "from the request to the first token of a choice", this.timeToFirstToken),
      ...metric("kto_time_per_token_seconds", "histogram", "between the tokens of a choice, on average over it", this.timePerToken),
      "",
    ].join("\n");
  }
}

function gauge(value: number): Pick<Counter, "lines"> {
  return { lines: (name) => [`${name} ${value}`] };
}

function metric(name: string, type: string, help: string, values: Pick<Counter, "lines">): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...values.lines(name)];
}
