import type { FloatDtype } from "../dtype.js";
import type { GradientRows, Tensor } from "../tensor.js";
import { backwardFrom } from "./backward.js";
import { leadingRows } from "./gradient-rows.js";
import { edgeOf, GradNode } from "./node.js";
import { converted } from "./untaped.js";

/** Options of `checkpoint`. */
export interface CheckpointOptions {
  /**
   * Tensors without gradients that `block` closes over, such as the positions of a batch: the tape holds them, so that they may go with their scope
   * before the backward pass runs. What is not named here (weights, as a rule) must live until then.
   */
  keep?: readonly Tensor[];
  /**
   * What is run again, for its tape. Where only the first rows of x take gradients (`withGradientRows`) it is given these alone: `block` for them, if that closes over
   * something with a row for each of x. Its result is not read: only its place on the tape counts. Default `block`.
   */
  again?: ((x: Tensor) => Tensor) | undefined;
}

/**
 * Runs `block(x)` and keeps only `x`, of that the rows that take gradients; backward runs the block again, with its tape, when its gradient is due. Parameters used inside get their
 * gradients as if it had been recorded.
 *
 * @param block  a function of x (and of parameters) that does the same both times; its result has a row for each of x, where not all of those take gradients
 * @param x      the one input through which a gradient flows in
 * @returns      what block returns
 */
export function checkpoint(block: (x: Tensor) => Tensor, x: Tensor, { keep = [], again = block }: CheckpointOptions = {}): Tensor {
  const { device } = x;
  if (!device.isRecordingGradients) return device.scope("checkpoint", () => block(x));
  const output = device.noGrad(() => device.scope("checkpoint", () => block(x)));
  const rows = x.gradientRows;
  output.gradientRows = rows;
  const input = rows ? rowsAlone(x, rows) : device.unscoped(() => x.detach());
  const edge = edgeOf(x);
  output.node = device.register(
    new GradNode("checkpoint", [edge], [input, ...keep.map((tensor) => tensor.hold())], ([dy], gradients) => {
      const leaf = input.detach();
      leaf.requiresGrad = edge !== undefined;
      const result = device.scope("checkpoint recomputation", () => again(leaf));
      result.dispose(); // only its place on the tape is needed
      backwardFrom([[result, dy!]], gradients);
      return [gradients.take(leaf)];
    }),
  );
  return output;
}

/** The rows that take gradients in a storage of their own, so that the others' need not be kept. */
function rowsAlone(x: Tensor, rows: GradientRows): Tensor {
  using leading = leadingRows(x, rows);
  return x.device.withFit(1, () => x.device.unscoped(() => converted(leading, x.dtype as FloatDtype)));
}
