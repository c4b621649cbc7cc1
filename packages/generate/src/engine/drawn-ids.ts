import { type Reader, type TokenLogprob, type Tensor, unpackTopLogProbs } from "@kto/tensor";

/** What the host reads of a pass, a place for each of its rows. */
export interface ReadIds {
  ids: Uint32Array;
  /** Where a row of the pass asks for them. */
  logprobs: readonly TokenLogprob[] | undefined;
}

/** Ids that one pass drew, on the device: freed when the host has read them and no row goes on from them. */
export class DrawnIds {
  /** [numRows] u32 */
  readonly tensor: Tensor;
  /** What `topLogProbs` packed, where a row of the pass asks for it. */
  readonly #logProbs: Tensor | undefined;
  #uses = 0;

  constructor(tensor: Tensor, logProbs?: Tensor) {
    this.tensor = tensor;
    this.#logProbs = logProbs;
  }

  async read(reader: Reader): Promise<ReadIds> {
    const [bytes, packed] = await Promise.all([reader.readBytes(this.tensor), this.#logProbs?.read() as Promise<Float32Array>]);
    const ids = new Uint32Array(bytes.buffer);
    return { ids, logprobs: packed && unpackTopLogProbs(packed, ids) };
  }

  use(): this {
    this.#uses += 1;
    return this;
  }

  release(): void {
    this.#uses -= 1;
    if (this.#uses > 0) return;
    this.tensor.dispose();
    this.#logProbs?.dispose();
  }
}
