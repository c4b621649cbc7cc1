/** What reading needs of a checkpoint; a `TensorReader` of `@kto/safetensors` is one. Companions of a weight may lie in different files. */
export interface CompanionReader {
  readonly tensors: ReadonlyMap<string, { readonly dtype: string; readonly shape: readonly number[]; readonly byteLength: number }>;
  /** The elements of a tensor, little-endian and dense. */
  read(name: string): Promise<{ readonly data: Uint8Array }>;
  /** The same in pieces. */
  stream(name: string): AsyncIterable<Uint8Array>;
}

/** Names of what belongs to a four-bit weight. */
export function companionNames(weightName: string): {
  absmax: string;
  quantMap: string;
  nestedAbsmax: string;
  nestedQuantMap: string;
  quantState: string;
} {
  return {
    absmax: `${weightName}.absmax`,
    quantMap: `${weightName}.quant_map`,
    nestedAbsmax: `${weightName}.nested_absmax`,
    nestedQuantMap: `${weightName}.nested_quant_map`,
    quantState: `${weightName}.quant_state.bitsandbytes__nf4`,
  };
}
