import { DONE, halfOf } from "./arithmetic";

// Types of one value a block.

/** f16 of each value, to nearest, ties to even; refuses what becomes an infinity, or is none. */
export function toFloat16(x: usize, count: i32, out: usize): i32 {
  let infinite: u32 = 0;
  for (let i: usize = 0; i < <usize>count; i++) {
    const half = halfOf(load<f32>(x + 4 * i));
    infinite |= <u32>((half & 0x7c00) == 0x7c00);
    store<u16>(out + 2 * i, <u16>half);
  }
  return infinite ? firstWith(out, count, 0x7c00) : DONE;
}

/** bf16 of each value likewise. */
export function toBfloat16(x: usize, count: i32, out: usize): i32 {
  let infinite: u32 = 0;
  for (let i: usize = 0; i < <usize>count; i++) {
    const bits = load<u32>(x + 4 * i);
    const isNaN = (bits & 0x7fffffff) > 0x7f800000;
    const half = isNaN ? 0x7fc0 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
    infinite |= <u32>((half & 0x7f80) == 0x7f80);
    store<u16>(out + 2 * i, <u16>half);
  }
  return infinite ? firstWith(out, count, 0x7f80) : DONE;
}

function firstWith(halves: usize, count: i32, exponent: u16): i32 {
  for (let i: usize = 0; i < <usize>count; i++) {
    if ((load<u16>(halves + 2 * i) & exponent) == exponent) return <i32>i;
  }
  return DONE;
}
