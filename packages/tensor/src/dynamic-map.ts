/** `signed` holds values in −1 … 1 (first moments, nested scales of NF4), `unsigned` in 0 … 1 (second moments). */
export type DynamicMapKind = "signed" | "unsigned";

/** Decades from 1e-6 to 1 over which the entries are spread. */
const decades = 7;

/**
 * bitsandbytes' dynamic 8-bit map: the 256 ascending values that codes 0 … 255 stand for, f32.
 *
 * Decade i of 7 has 2ⁱ entries (unsigned 2ⁱ⁺¹), 10^(i−6) times the means of neighbouring points of an even division of 0.1 … 1; the signed map has
 * their negatives too; 0 and 1 complete both.
 */
export function dynamicMap(kind: DynamicMapKind): Float32Array<ArrayBuffer> {
  const entries = [0, 1];
  for (let decade = 0; decade < decades; decade++) {
    const bounds = evenBounds(2 ** (kind === "signed" ? decade : decade + 1));
    const scale = Math.fround(10 ** (decade - decades + 1));
    for (let i = 0; i + 1 < bounds.length; i++) {
      const value = Math.fround(scale * meanOf(bounds[i]!, bounds[i + 1]!));
      entries.push(value);
      if (kind === "signed") entries.push(-value);
    }
  }
  return Float32Array.from(entries).sort();
}

/** The 255 f32 means of neighbouring entries of a map: `nearestCode` decides by them. */
export function dynamicMapMidpoints(map: Float32Array): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: map.length - 1 }, (_, code) => meanOf(map[code]!, map[code + 1]!));
}

/** The code of the entry nearest to `value`, given the map's midpoints. A midpoint itself goes to the even code, NaN to 0. */
export function nearestCode(midpoints: Float32Array, value: number): number {
  let code = 0;
  for (let step = 128; step > 0; step >>= 1) {
    const below = code + step - 1;
    const midpoint = midpoints[below]!;
    if (value > midpoint || (value === midpoint && below % 2 === 1)) code += step;
  }
  return code;
}

/** `parts + 1` points from 0.1 to 1, counted from the nearer end, each rounded once. */
function evenBounds(parts: number): number[] {
  const first = Math.fround(0.1);
  const step = Math.fround((1 - first) / parts);
  return Array.from({ length: parts + 1 }, (_, i) =>
    Math.fround(i < Math.floor((parts + 1) / 2) ? first + step * i : 1 - step * (parts - i)),
  );
}

function meanOf(a: number, b: number): number {
  return Math.fround(a + b) / 2;
}
