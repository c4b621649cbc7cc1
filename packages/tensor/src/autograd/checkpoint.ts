import type { Tensor } from "../tensor.js";
import { backwardFrom } from "./backward.js";
import { edgeOf, GradNode } from "./node.js";

/**
 * Runs `block(x)` and keeps only `x`; backward runs the block again, with its tape, when its gradient is due. Parameters used inside get their
 * gradients as if it had been recorded.
 *
 * @param block  a function of x (and of parameters) that does the same both times; tensors it closes over must live until backward has run
 * @param x      the one input through which a gradient flows in
 * @returns      what block returns
 */
export function checkpoint(block: (x: Tensor) => Tensor, x: Tensor): Tensor {
  const { device } = x;
  if (!device.isRecordingGradients) return device.scope("checkpoint", () => block(x));
  const output = device.noGrad(() => device.scope("checkpoint", () => block(x)));
  const kept = device.unscoped(() => x.detach());
  const edge = edgeOf(x);
  output.node = device.register(
    new GradNode("checkpoint", [edge], [kept], (dy, gradients) => {
      const input = kept.detach();
      input.requiresGrad = edge !== undefined;
      const again = device.scope("checkpoint recomputation", () => block(input));
      again.dispose(); // only its place on the tape is needed
      backwardFrom([[again, dy]], gradients);
      return [gradients.take(input)];
    }),
  );
  return output;
}
