import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bytesOf } from "@kto/safetensors";

const folder = new URL("../../../testing/fixtures/gguf/", import.meta.url);

interface BlockVectors {
  rms: number;
  largestError: number;
  dequantized: string;
  sha256: Record<string, string>;
  firstBlock: Record<string, string>;
}

/** What llama.cpp's quantiser makes of the inputs below; see the README of the folder. */
export const conformance: {
  inputs: Record<string, string>;
  blocks: Record<string, BlockVectors>;
  halves: Record<"F16" | "BF16", string>;
  withImportance: Record<string, string>;
  files: Record<"A" | "B", Record<string, { byteLength: number; sha256: string }>>;
  /** Bytes of the data section, by kind of file and model. */
  dataBytes: Record<string, Record<string, number>>;
} = JSON.parse(readFileSync(new URL("conformance.json", folder), "utf8"));

/** A complete small file. */
export const exampleFile: Uint8Array = new Uint8Array(readFileSync(fileURLToPath(new URL("example.gguf", folder))));

export function sha256(bytes: ArrayBufferView): string {
  return createHash("sha256").update(bytesOf(bytes)).digest("hex");
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Values of a linear congruential generator, from −0.05 to 0.05; each call goes on where the last one ended. */
export function generator(seed: number): (count: number) => Float32Array<ArrayBuffer> {
  let state = seed;
  return (count) =>
    Float32Array.from({ length: count }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return ((state >>> 8) - 8388608) * 2 ** -23 * 0.05;
    });
}

/** All values zero but for those of some places. */
function v3(): Float32Array {
  return Float32Array.from({ length: 256 }, (_, i) => {
    const sign = i % 2 === 0 ? 1 : -1;
    if (i < 32) return i === 20 ? 1 : 0;
    if (i < 64) return 0.25;
    if (i < 96) return -0.25;
    if (i < 128) return sign * 1e-20;
    if (i < 160) return i - 128 - 15.5;
    if (i < 192) return sign * 2 ** -(i - 160);
    if (i < 224) return 0;
    return i === 240 ? 100 : -0.5;
  });
}

/** Denormal and very small values. */
function v4(): Float32Array {
  return Float32Array.from({ length: 256 }, (_, i) => {
    if (i < 32) return (((7 * i) % 13) - 6) * 1e-41;
    if (i < 64) return (((5 * i) % 11) - 5) * 3e-39;
    if (i < 96) return (((5 * i) % 11) - 5) * 1e-30;
    if (i < 128) return (((3 * i) % 17) - 8) * 1e-7;
    if (i < 160) return (((3 * i) % 17) - 8) * 1e-6;
    if (i < 192) return 1e-7 + i * 1e-9;
    return (((3 * i) % 19) - 9) * 1e-5;
  });
}

/** The inputs of the vectors by name. */
export const inputs: Readonly<Record<string, Float32Array>> = {
  V1: Float32Array.from({ length: 256 }, (_, i) => Math.sin(i * 0.37) * ((i % 7) + 1)),
  V2: generator(1)(256),
  V3: v3(),
  V4: v4(),
  V5: generator(12345)(1_048_576),
};
