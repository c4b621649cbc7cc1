/** A reader for the fuzzer: what it reads well, and what it must read to its end or refuse with a KtoError. */
export interface FuzzedReader {
  readonly name: string;
  /** How inputs are changed: letters of a text, values of a JSON, or bytes. */
  readonly kind: "text" | "json" | "bytes";
  /** Files that it reads, and the smallest inputs that once broke it: each is read as it is before anything is changed. */
  seeds(): Promise<readonly Uint8Array[]> | readonly Uint8Array[];
  /** Reads an input to its end; a promise is awaited. */
  read(input: Uint8Array): unknown;
}

/** One that changes its inputs itself, by their structure. */
export interface MutatingReader extends Omit<FuzzedReader, "kind"> {
  mutate(seed: Uint8Array, random: Randomness): Uint8Array;
}

/** Numbers that repeat for a seed. */
export interface Randomness {
  /** A whole number from 0 up to a limit. */
  below(limit: number): number;
  chance(share: number): boolean;
  pick<Item>(items: readonly Item[]): Item;
}

/** What stands for depth in a seed: text that a mutator can change, and that no JSON.stringify has to follow. */
export const deepMark = "@deep";

/** The bytes of a JSON, with an object in an object, 20,000 of them, where the seed has `"@deep"`. */
export function deepened(input: Uint8Array): Uint8Array {
  const levels = 20_000;
  const text = new TextDecoder().decode(input);
  if (!text.includes(`"${deepMark}"`)) return input;
  return new TextEncoder().encode(text.replace(`"${deepMark}"`, `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`));
}
