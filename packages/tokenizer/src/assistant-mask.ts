import { tokenBytes } from "./byte-level.js";

const encoder = new TextEncoder();

/**
 * 1 for each token that overlaps one of the stretches of `text`, 0 elsewhere, as transformers 5 finds them.
 *
 * @param tokens    the byte-level tokens of the whole text
 * @param stretches in UTF-16 units of `text`
 */
export function assistantMask(
  text: string,
  tokens: readonly string[],
  stretches: readonly { start: number; end: number }[],
  normalize: (text: string) => string,
): number[] {
  const mask = new Array<number>(tokens.length).fill(0);
  const ends: number[] = [];
  let total = 0;
  for (const token of tokens) ends.push((total += tokenBytes(token).length));
  const byteAt = (index: number): number => encoder.encode(normalize(text.slice(0, index))).length;
  for (const { start, end } of stretches) {
    if (end <= start) continue;
    const [from, to] = [byteAt(start), byteAt(end)];
    for (let index = 0; index < tokens.length; index++) {
      const tokenStart = index === 0 ? 0 : ends[index - 1]!;
      if (tokenStart < to && ends[index]! > from) mask[index] = 1;
    }
  }
  return mask;
}
