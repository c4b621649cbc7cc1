const levels = "▁▂▃▄▅▆▇█";

/**
 * A series in one line of at most `width` characters: means of neighbouring values, the lowest of them `▁` and the highest `█`; all `▄` where they are equal. A
 * part without a number is a blank, a series without one is empty.
 */
export function sparkline(values: readonly number[], width: number): string {
  const count = Math.min(width, values.length);
  const means = Array.from({ length: count }, (_, index) =>
    meanOf(values.slice(Math.floor((index * values.length) / count), Math.floor(((index + 1) * values.length) / count))),
  );
  const known = means.filter(Number.isFinite);
  const [min, max] = [Math.min(...known), Math.max(...known)];
  const characterOf = (mean: number): string => {
    if (!Number.isFinite(mean)) return " ";
    const share = max === min ? 0.5 : (mean - min) / (max - min);
    return levels[max === min ? 3 : Math.min(levels.length - 1, Math.floor(share * levels.length))]!;
  };
  return known.length === 0 ? "" : means.map(characterOf).join("");
}

function meanOf(values: readonly number[]): number {
  const known = values.filter(Number.isFinite);
  return known.reduce((sum, value) => sum + value / known.length, known.length === 0 ? NaN : 0);
}
