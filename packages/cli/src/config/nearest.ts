/** The one of `names` fewest edits away from `word`, if they are few enough to be a slip. */
export function nearest(word: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let fewest = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const name of names) {
    const edits = distance(word.toLowerCase(), name.toLowerCase());
    if (edits < fewest) [best, fewest] = [name, edits];
  }
  return best;
}

/** Insertions, deletions and replacements that turn `a` into `b`. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, col) => col);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let col = 1; col <= b.length; col++) {
      current.push(Math.min(previous[col - 1]! + (a[row - 1] === b[col - 1] ? 0 : 1), previous[col]! + 1, current[col - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
