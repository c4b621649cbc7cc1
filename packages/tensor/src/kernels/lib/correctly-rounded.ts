import { wgsl } from "../wgsl.js";

/**
 * `rounded`, `divide` and `squareRoot` on `vec4<f32>`.
 *
 * With `exact` each result is the nearest f32, ties to even, on any device: WGSL lets a compiler fuse a product into a sum, and a quotient or a root
 * be off by 2.5 units in the last place. `rounded(x)` passes x through a bit operation with the parameter `zero`, a u32 of the kernel that is always
 * 0; a compiler that does not know that has to round x. Quotients and roots are made digit by digit in integers. Without `exact` they are WGSL's own.
 *
 * Operands below 1.2e-38 in magnitude, infinities and NaN are left to the device; a quotient below 1.2e-38 is zero.
 */
export function correctlyRounded({ exact }: { exact: boolean }): string {
  if (!exact) {
    return wgsl`
      fn rounded(x: vec4<f32>) -> vec4<f32> { return x; }
      fn divide(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> { return a / b; }
      fn squareRoot(x: vec4<f32>) -> vec4<f32> { return sqrt(x); }`;
  }
  return wgsl`
    const SIGN = 0x80000000u;
    const HIDDEN_BIT = 0x800000u;

    fn rounded(x: vec4<f32>) -> vec4<f32> {
      return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) ^ vec4<u32>(params.zero));
    }
    fn exponentOf(bits: u32) -> u32 { return (bits >> 23u) & 255u; }
    fn significandOf(bits: u32) -> u32 { return (bits & (HIDDEN_BIT - 1u)) | HIDDEN_BIT; }
    // From 25 bits, the last one beyond the significand, and whether anything is left after them.
    fn roundToEven(digits: u32, isInexact: bool) -> u32 {
      let significand = digits >> 1u;
      let isUp = (digits & 1u) == 1u && (isInexact || (significand & 1u) == 1u);
      return significand + select(0u, 1u, isUp);
    }
    fn divideOne(a: f32, b: f32) -> f32 {
      let bitsA = bitcast<u32>(a);
      let bitsB = bitcast<u32>(b);
      let exponentA = exponentOf(bitsA);
      let exponentB = exponentOf(bitsB);
      if (min(exponentA, exponentB) == 0u || max(exponentA, exponentB) == 255u) { return a / b; }
      let divisor = significandOf(bitsB);
      var rest = significandOf(bitsA);
      var exponent = i32(exponentA) - i32(exponentB) + 127;
      if (rest < divisor) {
        rest <<= 1u;
        exponent--;
      }
      if (exponent >= 255) { return a / b; }
      var digits = 1u;
      rest -= divisor;
      for (var i = 0; i < 3; i++) { // eight bits at a time
        rest <<= 8u;
        let next = rest / divisor;
        rest -= next * divisor;
        digits = (digits << 8u) | next;
      }
      let sign = (bitsA ^ bitsB) & SIGN;
      if (exponent <= 0) { return bitcast<f32>(sign); }
      return bitcast<f32>(sign | ((u32(exponent) << 23u) + roundToEven(digits, rest != 0u) - HIDDEN_BIT));
    }
    fn squareRootOne(x: f32) -> f32 {
      let bits = bitcast<u32>(x);
      var exponent = exponentOf(bits);
      if (exponent == 0u || exponent == 255u || (bits & SIGN) != 0u) { return sqrt(x); }
      var radicand = significandOf(bits) << 7u;
      if (exponent % 2u == 0u) { // an odd one halves evenly, as the bias is odd
        radicand <<= 1u;
        exponent--;
      }
      var rest = 0u;
      var digits = 0u;
      for (var i = 0; i < 25; i++) {
        rest = (rest << 2u) | (radicand >> 30u);
        radicand <<= 2u;
        let subtrahend = (digits << 2u) | 1u;
        digits <<= 1u;
        if (rest >= subtrahend) {
          rest -= subtrahend;
          digits |= 1u;
        }
      }
      return bitcast<f32>((((exponent + 127u) / 2u) << 23u) + roundToEven(digits, rest != 0u) - HIDDEN_BIT);
    }
    // Loops, as a software adapter takes seconds to compile four copies.
    fn divide(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
      var quotient = a;
      for (var i = 0u; i < 4u; i++) { quotient[i] = divideOne(a[i], b[i]); }
      return quotient;
    }
    fn squareRoot(x: vec4<f32>) -> vec4<f32> {
      var root = x;
      for (var i = 0u; i < 4u; i++) { root[i] = squareRootOne(x[i]); }
      return root;
    }`;
}
