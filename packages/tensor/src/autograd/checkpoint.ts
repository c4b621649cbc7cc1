import type { Tensor } from "../tensor.js";
import { backwardFrom } from "./backward.js";
import { edgeOf, GradNode } from "./node.js";

/** Options of `checkpoint`. */
export interface CheckpointOptions {
  /**
   * Tensors without gradients that `block` closes over, such as the positions of a batch: the tape holds them, so that they may go with their scope
   * before the backward pass runs. What is not named here (weights, as a rule) must live until then.
   */
  keep?: readonly Tensor[];
}

/**
 * Runs `block(x)` and keeps only `x`; backward runs the block again, with its tape, when its gradient is due. Parameters used inside get their
 * gradients as if it had been recorded.
 *
 * @param block  a function of x (and of parameters) that does the same both times
 * @param x      the one input through which a gradient flows in
 * @returns      what block returns
 */
export function checkpoint(block: (x: Tensor) => Tensor, x: Tensor, { keep = [] }: CheckpointOptions = {}): Tensor {
  const { device } = x;
  if (!device.isRecordingGradients) return device.scope("checkpoint", () => block(x));
  const output = device.noGrad(() => device.scope("checkpoint", () => block(x)));
  const input = device.unscoped(() => x.detach());
  const edge = edgeOf(x);
  output.node = device.register(
    new GradNode("checkpoint", [edge], [input, ...keep.map((tensor) => tensor.hold())], (dy, gradients) => {
      const leaf = input.detach();
      leaf.requiresGrad = edge !== undefined;
      const again = device.scope("checkpoint recomputation", () => block(leaf));
      again.dispose(); // only its place on the tape is needed
      backwardFrom([[again, dy]], gradients);
      return [gradients.take(leaf)];
    }),
  );
  return output;
}
