/**
 * f32 bits → f16 bits, to nearest, ties to even: the same result as `encodeFloat`, in integers, for arrays. NaN becomes 0x7e00.
 */
export function float32BitsToFloat16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520, halfway from 65504 to 2^16, and up
  if (magnitude >= 0x38800000) {
    // 2^-14 and up: move the exponent from bias 127 to 15, then drop 13 bits; a carry goes into the exponent, as it should
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  if (magnitude <= 0x33000000) return sign; // 2^-25, halfway from 0 to the least subnormal, and down
  const shift = 126 - (magnitude >>> 23); // subnormal: count units of 2^-24
  const significand = (magnitude & 0x7fffff) | 0x800000;
  return sign | ((significand + (1 << (shift - 1)) - 1 + ((significand >>> shift) & 1)) >>> shift);
}

/** f32 bits → bf16 bits, to nearest, ties to even. NaN becomes 0x7fc0. */
export function float32BitsToBfloat16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fc0;
  return ((bits >>> 16) + (((bits & 0xffff) + 0x7fff + ((bits >>> 16) & 1)) >>> 16)) & 0xffff;
}
