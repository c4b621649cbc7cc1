import type { Random } from "./random.js";

/** A reader that is fuzzed. */
export interface FuzzTarget {
  readonly name: string;
  /** Files that it reads well, and the smallest inputs that once broke it: each is read as it is before anything is changed. */
  seeds(): Promise<readonly Uint8Array[]> | readonly Uint8Array[];
  mutate(seed: Uint8Array, random: Random): Uint8Array;
  /** Reads an input to its end; a promise is awaited. May throw a KtoError and nothing else. */
  read(input: Uint8Array): unknown;
}

/** What must hold of every input of `byteLength` bytes (the bounds of docs/data-and-files.md): CPU time, and what the process may grow by. */
export function boundsOf(byteLength: number): { milliseconds: number; bytes: number } {
  const bytesPerMillisecond = 50_000;
  return { milliseconds: 1000 + byteLength / bytesPerMillisecond, bytes: 256 * 2 ** 20 + 2 * byteLength };
}

/** What went wrong with an input. */
export interface Failure {
  target: string;
  /** Which input, counted from 0 under a seed; null for one given as a file. */
  index: number | null;
  kind: "untyped error" | "too slow" | "too much memory" | "the process ended";
  detail: string;
  input: Uint8Array;
}
