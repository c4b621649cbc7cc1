/** Points of a curve: x ascending, y null where a number was none. */
export interface Points {
  x: readonly number[];
  y: readonly (number | null)[];
}

/**
 * At most about `most` of the points of a curve: of each of as many stretches as it takes its first, lowest, highest and last, so that no extreme is lost. A gap stays a gap.
 *
 * @param most  at least 8
 */
export function thin({ x, y }: Points, most: number): Points {
  if (x.length <= most) return { x, y };
  const stretches = Math.floor(most / 4);
  const kept: number[] = [];
  for (let stretch = 0; stretch < stretches; stretch++) {
    const start = Math.floor((stretch * x.length) / stretches);
    const end = Math.floor(((stretch + 1) * x.length) / stretches);
    kept.push(...keptOf(y, start, end));
  }
  return { x: kept.map((index) => x[index]!), y: kept.map((index) => y[index]!) };
}

/** First, lowest, highest, a gap if there is one, and last of a stretch, in their order. */
function keptOf(y: Points["y"], start: number, end: number): number[] {
  let [lowest, highest, gap] = [-1, -1, -1];
  for (let index = start; index < end; index++) {
    const value = y[index];
    if (value === null || value === undefined) gap = index;
    else {
      if (lowest < 0 || value < y[lowest]!) lowest = index;
      if (highest < 0 || value > y[highest]!) highest = index;
    }
  }
  const found = new Set([start, lowest, highest, gap, end - 1].filter((index) => index >= 0));
  return [...found].sort((a, b) => a - b);
}
