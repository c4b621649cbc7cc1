import { TrainerUsageError } from "./errors.js";
import type { TrainLog, TrainOutput } from "./events.js";

/**
 * A run that was asked for: an async iterator of its logs, or something to await, which then gives the `TrainOutput`. It starts at the first `next()` or
 * `then()`. Using both is a TrainerUsageError.
 */
export class TrainingRun implements AsyncIterableIterator<TrainLog, TrainOutput>, PromiseLike<TrainOutput> {
  readonly #logs: AsyncGenerator<TrainLog, TrainOutput, undefined>;
  #use: "iterated" | "awaited" | undefined;
  #output: Promise<TrainOutput> | undefined;

  constructor(logs: AsyncGenerator<TrainLog, TrainOutput, undefined>) {
    this.#logs = logs;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<TrainLog, TrainOutput>> {
    if (this.#use === "awaited") return Promise.reject(usedTwice("awaited"));
    this.#use = "iterated";
    return this.#logs.next();
  }

  /** Ends a run that is iterated, after the update in flight. */
  return(): Promise<IteratorResult<TrainLog, TrainOutput>> {
    return this.#logs.return(undefined as never);
  }

  then<Result = TrainOutput, Failure = never>(
    onDone?: ((output: TrainOutput) => Result | PromiseLike<Result>) | null,
    onFailed?: ((reason: unknown) => Failure | PromiseLike<Failure>) | null,
  ): Promise<Result | Failure> {
    if (this.#use === "iterated") return Promise.reject<TrainOutput>(usedTwice("iterated")).then(onDone, onFailed);
    this.#use = "awaited";
    this.#output ??= outputOf(this.#logs);
    return this.#output.then(onDone, onFailed);
  }
}

async function outputOf(logs: AsyncGenerator<TrainLog, TrainOutput, undefined>): Promise<TrainOutput> {
  for (;;) {
    const { done, value } = await logs.next();
    if (done) return value;
  }
}

function usedTwice(how: string): TrainerUsageError {
  return new TrainerUsageError(
    `train: the run is being ${how} already; expected one of "for await (… of run)" and "await run", got both; the output of a run that was iterated is trainer.result`,
  );
}
