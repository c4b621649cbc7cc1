/**
 * The exact sign test: how likely a split of `wins + losses` tosses of a fair coin is that is at least as uneven. Ties are left out of it. Of the rows on which
 * two models disagree, one right and the other wrong, it is McNemar's exact test.
 *
 *   p = min(1, 2 · Σ_{k ≤ min(wins, losses)} C(n, k) / 2ⁿ),  n = wins + losses
 *
 * @returns  1 where nothing was won or lost
 * @see Dixon and Mood 1946; McNemar 1947, in its exact form
 */
export function signTest(wins: number, losses: number): number {
  const n = wins + losses;
  let logTerm = -n * Math.LN2; // of k = 0
  let tail = 0;
  for (let k = 0; k <= Math.min(wins, losses); k++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log(n - k) - Math.log(k + 1);
  }
  return Math.min(1, 2 * tail);
}
