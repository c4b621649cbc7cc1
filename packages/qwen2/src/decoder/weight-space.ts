import { nf4ByteLengths } from "@kto/nf4";
import { byteSize, sizeOf, slabShare, TensorSlabs, type Device, type FloatDtype, type TensorRegion, type TensorSpace } from "@kto/tensor";
import { weightGroups, type WeightSpec } from "./weight-specs.js";

/** How a weight will be held on the device. */
export type WeightForm = "full" | "fourBit" | "fourBitNested";

/** How the weights of a model will be held. */
export interface WeightForms {
  dtype: FloatDtype;
  formOf(spec: WeightSpec): WeightForm;
}

/**
 * Memory for the weights of a model: those that generation computes together, and the parts of one in four bits, lie in one buffer; small ones share slabs.
 * Dispose it when they are made; they live on.
 */
export class WeightSpace implements Disposable {
  readonly #forms: WeightForms;
  /** The weights that lie in one buffer with a weight, by its name. */
  readonly #groups: ReadonlyMap<string, readonly WeightSpec[]>;
  readonly #slabs: TensorSlabs;
  readonly #regions = new Map<readonly WeightSpec[], TensorRegion>();

  constructor(device: Device, specs: readonly WeightSpec[], forms: WeightForms) {
    const groups = weightGroups(specs);
    this.#forms = forms;
    this.#groups = new Map(groups.flatMap((group) => group.map(({ name }) => [name, group] as const)));
    const slabBytes = groups.reduce((total, group) => total + slabShare(...this.#byteLengths(group)), 0);
    this.#slabs = new TensorSlabs(device, slabBytes);
  }

  /** Where the weight of that name gets its memory. */
  of(name: string): TensorSpace {
    const group = this.#groups.get(name)!;
    if (group.length === 1 && this.#forms.formOf(group[0]!) === "full") return this.#slabs;
    let region = this.#regions.get(group);
    if (!region) {
      region = this.#slabs.region(this.#byteLengths(group));
      this.#regions.set(group, region);
    }
    return region;
  }

  dispose(): void {
    for (const region of this.#regions.values()) region.dispose();
    this.#slabs.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Bytes of each tensor that these weights have on the device. */
  #byteLengths(group: readonly WeightSpec[]): number[] {
    const { dtype, formOf } = this.#forms;
    return group.flatMap((spec) => {
      const form = formOf(spec);
      const numElements = sizeOf(spec.shape);
      if (form === "full") return [numElements * byteSize(spec.kind === "matrix" ? dtype : "f32")];
      return nf4ByteLengths(numElements, { doubleQuant: form === "fourBitNested" });
    });
  }
}
