import { type ErrorText, KtoError } from "@kto/core";
import { listed } from "@kto/datasets";

/** The loss became NaN or infinite: the run stopped, and the last checkpoint is as it was. */
export class NonFiniteLossError extends KtoError {
  override name = "NonFiniteLossError";
  readonly step: number;
  readonly rows: readonly number[];

  constructor(text: ErrorText, facts: { step: number; rows: readonly number[] }) {
    super("NON_FINITE_LOSS", text);
    this.step = facts.step;
    this.rows = facts.rows;
  }
}

/** Throws NonFiniteLossError unless the loss is a finite number. */
export function expectFiniteLoss(
  loss: number,
  { step, rows, learningRate }: { step: number; rows: readonly number[]; learningRate: number },
): void {
  if (Number.isFinite(loss)) return;
  const advice =
    step === 1
      ? "nothing was trained before it, so the model's weights may hold NaN or its activations overflow float16; try dtype float32, or fetch the model again, or look at these rows"
      : "lower {learningRate}, or look at these rows; the last checkpoint is unchanged";
  throw new NonFiniteLossError(
    {
      operation: "train",
      problem: `the loss is ${loss} in update ${step}`,
      expected: `a finite number; its rows in the data are ${listed(rows, 64)} and the learning rate was ${learningRate}`,
      advice,
      fields: ["learningRate"],
    },
    { step, rows },
  );
}
