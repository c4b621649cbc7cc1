import type { CacheOptions } from "./options.js";

/** The repository that {@link resolveFourBit} chose. */
export interface FourBitChoice {
  id: string;
  /** True when `id` is another repository than the one asked for. */
  mapped: boolean;
}

export async function resolveFourBit(id: string, _options: CacheOptions = {}): Promise<FourBitChoice> {
  throw new Error(`not yet: ${id}`);
}
