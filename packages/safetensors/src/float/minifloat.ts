/** How a small float is laid out: sign, `exponentBits`, `mantissaBits`. */
export interface FloatLayout {
  readonly exponentBits: number;
  readonly mantissaBits: number;
  readonly bias: number;
  /** `ieee`: the top exponent means infinity or NaN. `finite`: only the code of all ones is NaN, and there is no infinity (F8_E4M3). */
  readonly specials: "ieee" | "finite";
}

export const FLOAT16: FloatLayout = { exponentBits: 5, mantissaBits: 10, bias: 15, specials: "ieee" };
export const BFLOAT16: FloatLayout = { exponentBits: 8, mantissaBits: 7, bias: 127, specials: "ieee" };
export const FLOAT8_E4M3: FloatLayout = { exponentBits: 4, mantissaBits: 3, bias: 7, specials: "finite" };
export const FLOAT8_E5M2: FloatLayout = { exponentBits: 5, mantissaBits: 2, bias: 15, specials: "ieee" };

/**
 * The value of a code, exactly.
 *
 *   (−1)^s · 2^(e − bias) · (1 + m / 2^mantissaBits);  with e = 0:  (−1)^s · 2^(1 − bias) · m / 2^mantissaBits
 */
export function decodeFloat(code: number, { exponentBits, mantissaBits, bias, specials }: FloatLayout): number {
  const topExponent = 2 ** exponentBits - 1;
  const topMantissa = 2 ** mantissaBits - 1;
  const sign = (code >>> (exponentBits + mantissaBits)) & 1 ? -1 : 1;
  const exponent = (code >>> mantissaBits) & topExponent;
  const mantissa = code & topMantissa;
  if (exponent === topExponent && specials === "ieee") return mantissa === 0 ? sign * Infinity : NaN;
  if (exponent === topExponent && mantissa === topMantissa) return NaN;
  const significand = mantissa / 2 ** mantissaBits;
  return exponent === 0 ? sign * 2 ** (1 - bias) * significand : sign * 2 ** (exponent - bias) * (1 + significand);
}

const scratch: DataView = /* @__PURE__ */ new DataView(/* @__PURE__ */ new ArrayBuffer(8));

/**
 * The code nearest to a value, ties to even, from the full double (no double rounding). Too large becomes infinity; NaN becomes the positive quiet NaN.
 * For layouts with infinities.
 */
export function encodeFloat(value: number, { exponentBits, mantissaBits, bias }: FloatLayout): number {
  const infinity = (2 ** exponentBits - 1) * 2 ** mantissaBits;
  if (Number.isNaN(value)) return infinity + 2 ** (mantissaBits - 1);
  scratch.setFloat64(0, value);
  const high = scratch.getUint32(0);
  const sign = (high >>> 31) * 2 ** (exponentBits + mantissaBits);
  const minExponent = 1 - bias;
  const exponent = Math.max(((high >>> 20) & 0x7ff) - 1023, minExponent); // of the leading bit, or of the subnormals
  const steps = roundHalfEven(Math.abs(value) * 2 ** (mantissaBits - exponent)); // whole units in the last place; a power of two, so the product is exact
  return sign + Math.min((exponent - minExponent) * 2 ** mantissaBits + steps, infinity);
}

/** For 0 ≤ value < 2^51: adding 2^52 leaves no room for a fraction, and the addition itself rounds ties to even. */
function roundHalfEven(value: number): number {
  return value + 2 ** 52 - 2 ** 52;
}
