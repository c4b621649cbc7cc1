import { ShapeError } from "../errors.js";
import { bfloat16Kernel } from "../kernels/bfloat16.wgsl.js";
import { expectDtype } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** Content of an element of `firstOverflow` as long as everything fitted. */
export const nothingOverflowed = 0xffffffff;

/** Where `writeBfloat16` writes, and what it tells of numbers too large for f16. */
export interface Bfloat16Target {
  /** f16 (rounded to nearest even) or f32 (exact) */
  target: Tensor;
  /** Element of `target` that the first number becomes; even. */
  first: number;
  /** u32, filled with `nothingOverflowed` beforehand */
  firstOverflow: Tensor;
  /** The element of `firstOverflow` that becomes the smallest index of a finite number past f16's range. */
  slot: number;
}

/**
 * Writes bf16 numbers, two little-endian bytes each, to part of a tensor; the device converts them. Off the tape.
 * Throws ShapeError for an odd `first` or numbers past the target's end.
 */
export function writeBfloat16(bytes: Uint8Array, { target, first, firstOverflow, slot }: Bfloat16Target): void {
  expectDtype("writeBfloat16", "target", target, "f16", "f32");
  const size = bytes.byteLength / 2;
  if (first % 2 !== 0 || !Number.isInteger(size) || first + size > target.size) {
    throw new ShapeError(
      `writeBfloat16: ${target.label}: expected whole numbers from an even element to at most ${target.size}, got ${size} from ${first}`,
    );
  }
  const { device } = target;
  device.scope("writeBfloat16", () => {
    const count = Math.ceil(size / 2);
    const bits = device.empty([count], "u32", "bf16 bits");
    device.writeBytes(bits, size % 2 === 0 ? bytes : padded(bytes));
    bfloat16Kernel.run(
      device,
      { bits, y: target, firstOverflow },
      { count, first, slot, size: target.size },
      { half: target.dtype === "f16" },
    );
  });
}

function padded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(bytes.byteLength + 2);
  whole.set(bytes);
  return whole;
}
