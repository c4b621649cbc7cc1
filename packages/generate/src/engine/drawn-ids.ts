import type { Tensor } from "@kto/tensor";

/** Ids that one pass drew, on the device: freed when the host has read them and no row goes on from them. */
export class DrawnIds {
  /** [numRows] u32 */
  readonly tensor: Tensor;
  #uses = 0;

  constructor(tensor: Tensor) {
    this.tensor = tensor;
  }

  use(): this {
    this.#uses += 1;
    return this;
  }

  release(): void {
    this.#uses -= 1;
    if (this.#uses === 0) this.tensor.dispose();
  }
}
