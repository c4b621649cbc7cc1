import type { Tensor } from "../tensor.js";
import type { Gradients } from "./gradients.js";

/** What the tape keeps of an op between forward and backward. */
export type Saved = Record<string, Tensor | number | undefined>;

/** Where a gradient goes: to the op that made the input, or to a leaf. */
export interface GradEdge {
  node?: GradNode;
  leaf?: Tensor;
}

let nextSequence = 1;

/** One recorded op: how to turn the gradient of its output into gradients of its inputs. */
export class GradNode {
  readonly sequence: number = nextSequence++;
  readonly op: string;
  readonly inputs: readonly (GradEdge | undefined)[];
  /** Gradients of the inputs, in order, undefined where none flows. Owned by the caller's scope. */
  readonly vjp: (dy: Tensor, gradients: Gradients) => (Tensor | undefined)[];
  readonly #held: readonly Tensor[];
  #released = false;

  constructor(
    op: string,
    inputs: readonly (GradEdge | undefined)[],
    held: readonly Tensor[],
    vjp: (dy: Tensor, gradients: Gradients) => (Tensor | undefined)[],
  ) {
    this.op = op;
    this.inputs = inputs;
    this.vjp = vjp;
    this.#held = held;
  }

  get isReleased(): boolean {
    return this.#released;
  }

  /** Frees what was saved; after that the node cannot run backward. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    for (const tensor of this.#held) tensor.dispose();
  }
}

/** The edge for an input: undefined if no gradient flows to it. */
export function edgeOf(tensor: Tensor | undefined): GradEdge | undefined {
  if (!tensor) return undefined;
  if (tensor.node) return { node: tensor.node };
  return tensor.requiresGrad ? { leaf: tensor } : undefined;
}
