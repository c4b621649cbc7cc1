/** Each name once, in the order of character codes (which is Python's for names), whatever the locale. */
export function sortedNames(names: Iterable<string>): string[] {
  return [...new Set(names)].toSorted((a, b) => (a < b ? -1 : Number(a > b)));
}
