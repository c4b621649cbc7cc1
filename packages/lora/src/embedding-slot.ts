import type { EmbeddingModule, EmbeddingReplacement, Tensor } from "@kto/tensor";
import type { ActiveAdapters } from "./lora-layer.js";

/** A matrix that an adapter brought. */
export interface BroughtEmbedding {
  readonly weight: Tensor;
  /** Saved beside the adapter, as peft loads it into the base: it counts with the adapter off too. Otherwise trained in full, and counts while it acts. */
  readonly isAlways: boolean;
}

/** What adapters put in the place of one embedding. */
export class EmbeddingSlot implements EmbeddingReplacement {
  readonly brought: Map<string, BroughtEmbedding> = new Map();
  readonly #active: ActiveAdapters;

  constructor(
    readonly module: EmbeddingModule,
    active: ActiveAdapters,
  ) {
    this.#active = active;
  }

  get weight(): Tensor | undefined {
    const acting = this.#active.names.map((name) => this.brought.get(name)).find(Boolean);
    return (acting ?? [...this.brought.values()].find(({ isAlways }) => isAlways))?.weight;
  }
}
