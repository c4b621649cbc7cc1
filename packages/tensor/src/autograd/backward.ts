import { ShapeError } from "../errors.js";
import { fillKernel } from "../kernels/fill.wgsl.js";
import { briefFit } from "../memory/pool.js";
import type { Tensor } from "../tensor.js";
import { Gradients, sumShares, type GradientSink } from "./gradients.js";
import { leadingRows } from "./gradient-rows.js";
import { nodeOf, type GradEdge, type GradNode } from "./node.js";
import { converted } from "./untaped.js";

/** Options of `backward`. */
export interface BackwardOptions {
  /**
   * Gradient of the output itself; default 1. A power of two here is a loss scale: every gradient comes out multiplied by it, which keeps small
   * values inside f16 where they are GEMM operands.
   */
  scale?: number;
  /** Where gradients of leaves go as they come, for example `ParameterBucket.sink`: then they need no memory of their own. */
  sink?: GradientSink;
}

/**
 * Gradients of a scalar with respect to every leaf with `requiresGrad` that it depends on. Frees what the tape saved as it goes, so it runs once.
 *
 * @param loss  one element, f32
 * @returns     owned gradients of the leaves that no sink took, each f32 in the shape of its leaf
 */
export function backward(loss: Tensor, { scale = 1, sink }: BackwardOptions = {}): Gradients {
  if (loss.size !== 1)
    throw new ShapeError(`backward: expected a scalar, got shape [${loss.shape.join(", ")}]; reduce it with sum or mean first`);
  const gradients = new Gradients(sink);
  const { device } = loss;
  try {
    device.scope("backward", () => {
      const dLoss = device.empty(loss.shape, "f32", "dLoss");
      fillKernel.run(device, { y: dLoss }, { size: 1, value: scale }, { dtype: "f32" });
      backwardFrom([[loss, dLoss]], gradients);
    });
    return gradients;
  } catch (error) {
    gradients.dispose();
    throw error;
  }
}

/** Runs the tape backward from outputs with given gradients, adding the gradients of leaves to `gradients`. */
export function backwardFrom(outputs: [output: Tensor, gradient: Tensor][], gradients: Gradients): void {
  const pending = new Map<GradNode, Tensor>();
  for (const [output, gradient] of outputs) {
    const node = nodeOf(output);
    if (node) pending.set(node, sumShares(pending.get(node), leadingRows(gradient, output.gradientRows)));
    else if (output.requiresGrad) gradients.add(output, gradient);
  }
  try {
    const nodes = reverseOrder(pending.keys());
    const run = (): void => runBackward(nodes, pending, gradients);
    // Where fewer rows come back than went there, free buffers are too large by as much, and nothing made here lives long.
    const device = outputs[0]?.[0].device;
    if (device && nodes.some(({ inputs }) => inputs.some((edge) => edge?.rows))) device.withFit(briefFit, run);
    else run();
  } finally {
    for (const gradient of pending.values()) gradient.dispose();
  }
}

function runBackward(nodes: readonly GradNode[], pending: Map<GradNode, Tensor>, gradients: Gradients): void {
  for (const node of nodes) {
    const dy = pending.get(node);
    if (!dy) continue;
    if (node.isReleased)
      throw new ShapeError(`backward: ${node.op} was already run backward, or its scope ended; record the forward pass again`);
    dy.device.scope(`${node.op} backward`, () => {
      const partial = node.inputs.map((edge) => unsharedSum(edge, pending));
      const inputGradients = node.vjp(dy, gradients, partial);
      node.inputs.forEach((edge, index) => {
        const given = inputGradients[index];
        if (!edge || !given || given === partial[index]) return;
        const narrow = edge.rows ? leadingRows(given, edge.rows) : given;
        const gradient = edge.node?.acceptsHalf || given.dtype === "f32" ? narrow : converted(narrow, "f32");
        if (edge.node) pending.set(edge.node, sumShares(pending.get(edge.node), gradient));
        else if (edge.leaf) gradients.add(edge.leaf, gradient);
      });
    });
    node.release();
    pending.delete(node);
    dy.dispose();
  }
}

/** The sum so far of an input's gradient, if it may be added to in place. */
function unsharedSum(edge: GradEdge | undefined, pending: ReadonlyMap<GradNode, Tensor>): Tensor | undefined {
  const sum = edge?.node && pending.get(edge.node);
  return sum?.dtype === "f32" && !sum.storage.isShared ? sum : undefined;
}

/** Nodes reachable from the outputs, latest first: every consumer of a node comes before it. */
function reverseOrder(roots: Iterable<GradNode>): GradNode[] {
  const seen = new Set<GradNode>();
  const stack = [...roots];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    for (const edge of node.inputs) if (edge?.node) stack.push(edge.node);
  }
  return [...seen].sort((a, b) => b.sequence - a.sequence);
}
