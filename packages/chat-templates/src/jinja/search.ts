import { spend, spendReading } from "./budget.js";

/** JavaScript's own search takes time in proportion to text and pattern together for patterns up to this; beyond it, to their product. */
const MAX_NATIVE = 250;
/** The same for its search from the right, which compares at every place. */
const MAX_NATIVE_BACKWARDS = 8;

/** `text.indexOf(pattern, from)` in a time that grows with the lengths alone. */
export function indexOf(text: string, pattern: string, from = 0): number {
  const at =
    pattern.length <= MAX_NATIVE || pattern.length > text.length - from ? text.indexOf(pattern, from) : scan(text, pattern, from, 1);
  spendReading(2 * ((at === -1 ? text.length : at) - from));
  return at;
}

/** `text.lastIndexOf(pattern, from)` in a time that grows with the lengths alone. */
export function lastIndexOf(text: string, pattern: string, from: number = text.length): number {
  const { length } = pattern;
  if (length > text.length || from < 0) return -1;
  const start = Math.min(from, text.length - length);
  const at = length <= MAX_NATIVE_BACKWARDS ? text.lastIndexOf(pattern, start) : scan(text, pattern, start + length - 1, -1);
  spendReading(start - at);
  return at;
}

/** How often a pattern, which is not empty, stands in a text without overlaps; at most `limit`. */
export function countOf(text: string, pattern: string, limit: number = Infinity): number {
  let count = 0;
  for (let at = indexOf(text, pattern); at !== -1 && count < limit; at = indexOf(text, pattern, at + pattern.length)) {
    spend(1);
    count++;
  }
  return count;
}

/**
 * The search of Knuth, Morris and Pratt, forwards (`step` 1) from a first index or backwards (−1) from a last one: how much of the pattern still fits
 * behind a mismatch is known from the pattern.
 */
function scan(text: string, pattern: string, from: number, step: 1 | -1): number {
  const { length } = pattern;
  spendReading(length, true);
  const letter = (index: number): number => pattern.charCodeAt(step === 1 ? index : length - 1 - index);
  const fits = new Uint32Array(length);
  for (let index = 1, fit = 0; index < length; index++) {
    while (fit > 0 && letter(index) !== letter(fit)) fit = fits[fit - 1]!;
    if (letter(index) === letter(fit)) fit++;
    fits[index] = fit;
  }
  spendReading(step === 1 ? text.length - from : from, true);
  for (let at = from, fit = 0; at >= 0 && at < text.length; at += step) {
    const unit = text.charCodeAt(at);
    while (fit > 0 && unit !== letter(fit)) fit = fits[fit - 1]!;
    if (unit === letter(fit)) fit++;
    if (fit === length) return step === 1 ? at - length + 1 : at;
  }
  return -1;
}
