import type { FuzzedReader, MutatingReader } from "@kto/testing/workspace";
import { mutateBytes } from "./mutate-bytes.js";
import { mutateJson } from "./mutate-json.js";
import { mutateText } from "./mutate-text.js";

/** A reader that is fuzzed, with the way in which its inputs are changed. */
export type FuzzTarget = MutatingReader;

const mutators: Readonly<Record<FuzzedReader["kind"], FuzzTarget["mutate"]>> = { text: mutateText, json: mutateJson, bytes: mutateBytes };

/** The target of a reader. */
export function targetFor({ kind, ...reader }: FuzzedReader): FuzzTarget {
  return { ...reader, mutate: mutators[kind] };
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

/** A failure as the process tells it that saw it. */
export type Finding = Omit<Failure, "input" | "target">;
