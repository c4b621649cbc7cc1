import { tokenBytes } from "./byte-level.js";

const encoder = new TextEncoder();

/**
 * 1 for each token inside one of the stretches of `text`, 0 elsewhere, as transformers finds them: from the token that holds a
 * stretch's first character to the first token of its last character.
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
  const tokenAt = (index: number): number => {
    const byte = encoder.encode(normalize(text.slice(0, index))).length;
    return ends.findIndex((end) => byte < end);
  };
  for (const { start, end } of stretches) {
    if (end <= start) continue;
    const first = tokenAt(start);
    const lastCharacter = end >= 2 && /[\udc00-\udfff]/.test(text[end - 1]!) ? end - 2 : end - 1;
    const last = tokenAt(lastCharacter);
    if (first === -1) continue;
    mask.fill(1, first, last === -1 ? tokens.length : last + 1);
  }
  return mask;
}
