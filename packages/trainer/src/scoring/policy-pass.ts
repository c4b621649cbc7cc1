import { backward, type Tensor } from "@kto/tensor";
import type { BackwardPass, MethodContext } from "../loop/method.js";

/**
 * The forward pass of the policy on a part of a micro-batch: with gradients where a backward pass follows, without them in an evaluation.
 *
 * @param forward  is given how many decoder layers are to be run again on the way back
 */
export function policyPass<T>(
  { model, layout }: MethodContext,
  backwardPass: Pick<BackwardPass, "onForward"> | undefined,
  forward: (gradientCheckpointing: number) => T,
): T {
  const result = backwardPass ? forward(layout.checkpointedLayers) : model.device.noGrad(() => forward(0));
  backwardPass?.onForward?.();
  return result;
}

/** Sends the loss of `numRows` rows on to the parameters, as their share of the mean over the `numWhole` rows of the micro-batch. Nothing in an evaluation. */
export function sendBack(
  loss: Tensor,
  { numRows, numWhole }: { numRows: number; numWhole: number },
  backwardPass: BackwardPass | undefined,
): void {
  if (backwardPass && loss.node) backward(loss, { scale: (backwardPass.scale * numRows) / numWhole, sink: backwardPass.sink }).dispose();
}
