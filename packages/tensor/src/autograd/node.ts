import type { GradientRows, TapeNode, Tensor } from "../tensor.js";
import type { Gradients } from "./gradients.js";

/** What the tape keeps of an op between forward and backward. */
export type Saved = Record<string, Tensor | number | undefined>;

/** Where a gradient goes: to the op that made the input, or to a leaf. */
export interface GradEdge {
  node?: GradNode;
  /** Which of that op's outputs the input is; default the first. */
  output?: number;
  leaf?: Tensor;
  /** The rows of the input that take gradients, where that is not all of them. */
  rows?: GradientRows | undefined;
}

/** Gradients of an op's outputs, in order; undefined where none came to one. At least one did. */
export type OutputGradients = readonly (Tensor | undefined)[];

/**
 * Gradients of a node's inputs, in order, undefined where none flows; owned by the caller's scope. `partial` holds, where there is one and nobody else
 * sees it, the sum of what other consumers of that input gave: a vjp may add to it in place and return it.
 */
export type Vjp = (dys: OutputGradients, gradients: Gradients, partial: readonly (Tensor | undefined)[]) => (Tensor | undefined)[];

let nextSequence = 1;

/** One recorded op: how to turn the gradients of its outputs into gradients of its inputs. */
export class GradNode implements TapeNode {
  readonly sequence: number = nextSequence++;
  readonly op: string;
  readonly inputs: readonly (GradEdge | undefined)[];
  readonly vjp: Vjp;
  /** Whether `vjp` takes f16 gradients of the outputs; others are given f32. */
  readonly acceptsHalf: boolean;
  readonly #held: readonly Disposable[];
  #released = false;

  constructor(op: string, inputs: readonly (GradEdge | undefined)[], held: readonly Disposable[], vjp: Vjp, acceptsHalf = false) {
    this.op = op;
    this.inputs = inputs;
    this.vjp = vjp;
    this.acceptsHalf = acceptsHalf;
    this.#held = held;
  }

  get isReleased(): boolean {
    return this.#released;
  }

  /** Frees what was saved; after that the node cannot run backward. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    for (const each of this.#held) each[Symbol.dispose]();
  }
}

/** The node of a tensor: only the tape makes nodes. */
export function nodeOf(tensor: Tensor): GradNode | undefined {
  return tensor.node as GradNode | undefined;
}

/** The edge for an input: undefined if no gradient flows to it. */
export function edgeOf(tensor: Tensor | undefined): GradEdge | undefined {
  if (!tensor) return undefined;
  const node = nodeOf(tensor);
  if (node) return { node, output: tensor.nodeOutput, rows: tensor.gradientRows };
  return tensor.requiresGrad ? { leaf: tensor } : undefined;
}
