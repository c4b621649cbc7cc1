/**
 * The one of `names` fewest edits away from `word`, if they are few enough to be a slip: a third of its length, or `leastEdits` if that is more.
 * Case does not count.
 */
export function nearestName(word: string, names: Iterable<string>, leastEdits = 1): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(leastEdits, Math.floor(word.length / 3)) + 1;
  for (const name of names) {
    if (Math.abs(word.length - name.length) >= bestDistance) continue; // at least as many edits, however long the word is
    const distance = editDistance(word.toLowerCase(), name.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return best;
}

/** Insertions, deletions and replacements that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
