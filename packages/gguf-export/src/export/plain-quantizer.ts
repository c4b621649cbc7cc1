import { quantize, type QuantizedType } from "../quantize.js";

/** What turns f32 values into the bytes of a tensor, in this thread or in others. */
export interface GgufQuantizer {
  /**
   * @param values      whole rows; not changed, and still the caller's afterwards
   * @param importance  of each column; without it all count alike
   */
  quantize(
    type: QuantizedType,
    values: Float32Array,
    options: { readonly rowSize: number; readonly importance?: Float32Array | undefined },
  ): Promise<Uint8Array>;
}

/** `quantize` in this thread, which other quantisers are checked against. */
export const plainQuantizer: GgufQuantizer = {
  quantize: async (type, values, { importance }) => quantize(values, type, { importance }),
};
