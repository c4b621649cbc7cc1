import { ropeTables, ShapeError, type Device, type RopeTables } from "@kto/tensor";
import type { DecoderConfig } from "./config.js";

const fewest = 256;

/** The rotary tables of a model, made when first needed. They grow by powers of two, so that most batches find them made. */
export class RotaryTables implements Disposable {
  readonly #device: Device;
  readonly #config: DecoderConfig;
  #tables: (RopeTables & { maxPositions: number }) | undefined;

  constructor(device: Device, config: DecoderConfig) {
    this.#device = device;
    this.#config = config;
  }

  /** Tables for positions below `length`. Throws ShapeError past `max_position_embeddings`. */
  upTo(length: number): RopeTables {
    const { maxPositionEmbeddings, headDim, ropeTheta } = this.#config;
    if (length > maxPositionEmbeddings)
      throw new ShapeError(
        `forward: a row has ${length} tokens; expected at most ${maxPositionEmbeddings} (max_position_embeddings); shorten the row`,
      );
    if (this.#tables && this.#tables.maxPositions >= length) return this.#tables;
    this.dispose();
    const maxPositions = Math.min(maxPositionEmbeddings, 2 ** Math.ceil(Math.log2(Math.max(length, fewest))));
    const tables = this.#device.unscoped(() => ropeTables(this.#device, { headDim, theta: ropeTheta, maxPositions }));
    this.#tables = { ...tables, maxPositions };
    return this.#tables;
  }

  dispose(): void {
    this.#tables?.cos.dispose();
    this.#tables?.sin.dispose();
    this.#tables = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
