import { Tensor, type TapeNode, type TensorOwner } from "../tensor.js";

/** Everything made between the start and the end of a scope: tensors, and the autograd nodes that saved some of them. */
export class Arena implements TensorOwner {
  readonly label: string;
  readonly tensors: Set<Tensor> = new Set();
  readonly nodes: Set<TapeNode> = new Set();

  constructor(label: string) {
    this.label = label;
  }

  /** Frees all but what `survivors` holds; that moves to `parent`, or belongs to the caller if there is none. */
  close(survivors: unknown, parent: Arena | undefined): void {
    const kept = new Set<Tensor>();
    collectTensors(survivors, kept);
    const liveNodes = new Set<TapeNode>();
    for (const tensor of kept) if (tensor.node) this.#mark(tensor.node, liveNodes);
    for (const node of this.nodes) {
      if (!liveNodes.has(node)) node.release();
      else parent?.nodes.add(node);
    }
    for (const tensor of this.tensors) {
      if (kept.has(tensor)) {
        tensor.arena = parent;
        parent?.tensors.add(tensor);
      } else tensor.freeInScope(this.label);
    }
  }

  #mark(node: TapeNode, live: Set<TapeNode>): void {
    const stack = [node];
    for (let next = stack.pop(); next; next = stack.pop()) {
      if (live.has(next) || !this.nodes.has(next)) continue;
      live.add(next);
      for (const input of next.inputs) if (input?.node) stack.push(input.node);
    }
  }
}

/** Every node of the tape that a tensor depends on. */
export function nodesBehind({ node }: Tensor): Set<TapeNode> {
  const found = new Set<TapeNode>();
  const stack = node ? [node] : [];
  for (let next = stack.pop(); next; next = stack.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    for (const input of next.inputs) if (input?.node) stack.push(input.node);
  }
  return found;
}

/** Finds the tensors inside arrays, maps, sets and plain objects. */
export function collectTensors(value: unknown, into: Set<Tensor>): void {
  if (value instanceof Tensor) into.add(value);
  else if (Array.isArray(value) || value instanceof Set) for (const item of value) collectTensors(item, into);
  else if (value instanceof Map) for (const entry of value) collectTensors(entry, into);
  else if (
    typeof value === "object" &&
    value !== null &&
    (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null)
  ) {
    for (const item of Object.values(value)) collectTensors(item, into);
  }
}
