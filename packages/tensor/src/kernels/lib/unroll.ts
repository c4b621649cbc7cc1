/**
 * WGSL text for each number from 0 to count − 1, one after the other on lines of their own, with the number in place of `index` (`@i`). `places` gives
 * further marks, each with what stands for it. Throws TypeError if `index` does not occur: all copies would be alike.
 */
export function unroll(count: number, text: string, index = "@i", places: Readonly<Record<string, (n: number) => string>> = {}): string {
  if (!text.includes(index)) throw new TypeError(`unroll: expected ${index} in the text, got none in: ${text.trim().slice(0, 60)}`);
  return Array.from({ length: count }, (_, n) => {
    const placed = Object.entries(places).reduce((copy, [mark, place]) => copy.replaceAll(mark, place(n)), text);
    return placed.replaceAll(index, String(n));
  }).join("\n");
}

/** The same where parts of the text are computed on the host: `text` of each number, one a line. */
export function times(count: number, text: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => text(index)).join("\n");
}
