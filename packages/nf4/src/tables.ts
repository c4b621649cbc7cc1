import { thresholdsOf } from "./host/code-table.js";
import type { QuantState } from "./quant-state.js";

/** Where the parts of a weight's tables begin, in f32: kernels read them here. */
export const tableOffsets = { codes: 0, thresholds: 16, nested: 32 } as const;

/** The tables of a weight as its kernels want them: codes [16], thresholds [15] and a zero, and with nested scales their codes [256]. */
export function tablesOf({ codes, nested }: Pick<QuantState, "codes" | "nested">): Uint8Array<ArrayBuffer> {
  const tables = new Float32Array(nested ? 288 : 32);
  tables.set(codes, tableOffsets.codes);
  tables.set(thresholdsOf(codes), tableOffsets.thresholds);
  if (nested) tables.set(nested.codes, tableOffsets.nested);
  return new Uint8Array(tables.buffer);
}
