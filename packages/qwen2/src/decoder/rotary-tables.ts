import { ropeTables, ShapeError, type Device, type RopeTables, type Tensor } from "@kto/tensor";
import type { DecoderConfig } from "./config.js";
import { frequenciesName, ropeFrequencies } from "./rope-scaling.js";
import { rowLimit } from "./row-limit.js";

const fewest = 256;

/** The name of the tables by position, beside those of frequencies. */
const byPosition = -1;

/** Tables of one forward pass; those made for it alone end with it. */
export interface RotaryTablesInUse extends RopeTables, Disposable {}

/**
 * The rotary tables of a model, made when first needed. They grow by powers of two, so that most batches find them made. Where the frequencies depend on
 * the longest row of a batch (`dynamic`, past the original length), a batch has tables of its own.
 */
export class RotaryTables implements Disposable {
  readonly #device: Device;
  readonly #config: DecoderConfig;
  /** By the name of their frequencies. */
  readonly #kept = new Map<number, RopeTables & { maxPositions: number }>();

  constructor(device: Device, config: DecoderConfig) {
    this.#device = device;
    this.#config = config;
  }

  /** Makes what rows up to this many tokens need and keep. Throws ShapeError as `for`. */
  prepare(longest: number): void {
    this.#expectWithin(longest);
    const { maxPositionEmbeddings, ropeScaling: scaling } = this.#config;
    if (scaling?.ropeType === "longrope") {
      this.#keep(Math.min(longest, scaling.originalMaxPositionEmbeddings));
      if (longest > scaling.originalMaxPositionEmbeddings) this.#keep(longest);
    } else this.#keep(scaling?.ropeType === "dynamic" ? Math.min(longest, maxPositionEmbeddings) : longest);
  }

  /** Tables of a batch whose longest row ends before position `longest`. Throws ShapeError past what the model's config allows. */
  for(longest: number): RotaryTablesInUse {
    this.#expectWithin(longest);
    const { maxPositionEmbeddings, ropeScaling } = this.#config;
    if (ropeScaling?.ropeType !== "dynamic" || longest <= maxPositionEmbeddings) {
      return { ...this.#keep(longest), [Symbol.dispose]: () => undefined };
    }
    const { cos, sin } = this.#make(longest, longest);
    return { cos, sin, [Symbol.dispose]: () => [cos, sin].forEach((table: Tensor) => table.dispose()) };
  }

  /**
   * Tables for single tokens of rows up to this many tokens: at each position what a row that ends there is turned by, so that rows of any lengths share them.
   * Throws ShapeError as `for`.
   */
  byPosition(maxLength: number): RopeTables {
    const longest = Math.min(maxLength, rowLimit(this.#config).tokens);
    const { ropeScaling: scaling, maxPositionEmbeddings } = this.#config;
    const within = scaling?.ropeType === "longrope" ? scaling.originalMaxPositionEmbeddings : maxPositionEmbeddings;
    const dependsOnLength = scaling?.ropeType === "longrope" || scaling?.ropeType === "dynamic";
    if (!dependsOnLength || longest <= within) return this.#keep(longest);
    return this.#growing(byPosition, longest, (maxPositions) => {
      let name = NaN;
      let frequencies = new Float32Array();
      const inverseFrequencies = (position: number): Float32Array => {
        const next = frequenciesName(this.#config, position + 1);
        if (next !== name) frequencies = Float32Array.from(ropeFrequencies(this.#config, position + 1).inverseFrequencies);
        name = next;
        return frequencies;
      };
      const { attentionFactor } = ropeFrequencies(this.#config, longest);
      return ropeTables(this.#device, { headDim: this.#config.headDim, maxPositions, inverseFrequencies, attentionFactor });
    });
  }

  dispose(): void {
    for (const { cos, sin } of this.#kept.values()) {
      cos.dispose();
      sin.dispose();
    }
    this.#kept.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #keep(longest: number): RopeTables {
    return this.#growing(frequenciesName(this.#config, longest), longest, (maxPositions) => this.#make(longest, maxPositions));
  }

  /** The tables of that name, made anew with room for more where they are too short. */
  #growing(name: number, longest: number, make: (maxPositions: number) => RopeTables): RopeTables {
    const found = this.#kept.get(name);
    if (found && found.maxPositions >= longest) return found;
    found?.cos.dispose();
    found?.sin.dispose();
    const room = 2 ** Math.ceil(Math.log2(Math.max(longest, fewest)));
    const maxPositions = Math.max(longest, Math.min(rowLimit(this.#config).tokens, room));
    const made = { ...this.#device.unscoped(() => make(maxPositions)), maxPositions };
    this.#kept.set(name, made);
    return made;
  }

  #make(longest: number, maxPositions: number): RopeTables {
    const { headDim } = this.#config;
    return ropeTables(this.#device, { headDim, maxPositions, ...ropeFrequencies(this.#config, longest) });
  }

  #expectWithin(longest: number): void {
    const { tokens, because } = rowLimit(this.#config);
    if (longest > tokens)
      throw new ShapeError(`forward: a row has ${longest} tokens; expected at most ${tokens} (${because}); shorten the row`);
  }
}
