import { ShapeError } from "../errors.js";
import { fillKernel } from "../kernels/fill.wgsl.js";
import { briefFit } from "../memory/pool.js";
import type { Tensor } from "../tensor.js";
import { Gradients, sumShares, type GradientSink } from "./gradients.js";
import { leadingRows } from "./gradient-rows.js";
import { nodeOf, type GradEdge, type GradNode, type OutputGradients } from "./node.js";
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

/** Gradients that came to the outputs of ops so far, by op. */
class PendingGradients {
  readonly #byNode = new Map<GradNode, (Tensor | undefined)[]>();

  get(node: GradNode, output = 0): Tensor | undefined {
    return this.#byNode.get(node)?.[output];
  }

  /** Adds to what came to an output. */
  add(node: GradNode, gradient: Tensor, output = 0): void {
    const ofNode = this.#byNode.get(node) ?? [];
    ofNode[output] = sumShares(ofNode[output], gradient);
    this.#byNode.set(node, ofNode);
  }

  /** What came to an op; undefined if nothing did. It is `dispose`d of by its op. */
  of(node: GradNode): OutputGradients | undefined {
    return this.#byNode.get(node);
  }

  nodes(): Iterable<GradNode> {
    return this.#byNode.keys();
  }

  /** Frees what came to an op. */
  dispose(node: GradNode): void {
    for (const gradient of this.#byNode.get(node) ?? []) gradient?.dispose();
    this.#byNode.delete(node);
  }

  [Symbol.dispose](): void {
    for (const node of this.#byNode.keys()) this.dispose(node);
  }
}

/** Runs the tape backward from outputs with given gradients, adding the gradients of leaves to `gradients`. */
export function backwardFrom(outputs: [output: Tensor, gradient: Tensor][], gradients: Gradients): void {
  using pending = new PendingGradients();
  for (const [output, gradient] of outputs) {
    const node = nodeOf(output);
    if (node) pending.add(node, leadingRows(gradient, output.gradientRows), output.nodeOutput);
    else if (output.requiresGrad) gradients.add(output, gradient);
  }
  const nodes = reverseOrder(pending.nodes());
  const run = (): void => runBackward(nodes, pending, gradients);
  // Where fewer rows come back than went there, free buffers are too large by as much, and nothing made here lives long.
  const device = outputs[0]?.[0].device;
  if (device && nodes.some(({ inputs }) => inputs.some((edge) => edge?.rows))) device.withFit(briefFit, run);
  else run();
}

function runBackward(nodes: readonly GradNode[], pending: PendingGradients, gradients: Gradients): void {
  for (const node of nodes) {
    const dys = pending.of(node);
    const device = dys?.find((dy) => dy !== undefined)?.device;
    if (!dys || !device) continue;
    if (node.isReleased)
      throw new ShapeError(`backward: ${node.op} was already run backward, or its scope ended; record the forward pass again`);
    device.scope(`${node.op} backward`, () => {
      const partial = node.inputs.map((edge) => unsharedSum(edge, pending));
      const inputGradients = node.vjp(dys, gradients, partial);
      node.inputs.forEach((edge, index) => {
        const given = inputGradients[index];
        if (!edge || !given || given === partial[index]) return;
        const narrow = edge.rows ? leadingRows(given, edge.rows) : given;
        const gradient = edge.node?.acceptsHalf || given.dtype === "f32" ? narrow : converted(narrow, "f32");
        if (edge.node) pending.add(edge.node, gradient, edge.output);
        else if (edge.leaf) gradients.add(edge.leaf, gradient);
      });
    });
    gradients.recorded();
    node.release();
    pending.dispose(node);
  }
}

/** The sum so far of an input's gradient, if it may be added to in place. */
function unsharedSum(edge: GradEdge | undefined, pending: PendingGradients): Tensor | undefined {
  const sum = edge?.node && pending.get(edge.node, edge.output);
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
