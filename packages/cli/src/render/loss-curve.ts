import asciichart from "asciichart";

/** Columns before the curve: the numbers of the scale and its axis. */
const scaleWidth = 12;

/** A small chart of a series, `width` columns wide: averaged where there are more values than columns, drawn through them where there are fewer. Empty for fewer than two values. */
export function chart(values: readonly number[], { width = 78, height = 8 }: { width?: number; height?: number } = {}): string {
  const finite = values.filter(Number.isFinite);
  if (finite.length < 2) return "";
  const label = (value: number): string => value.toPrecision(4).padStart(9);
  const columns = Math.max(2, width - scaleWidth);
  const points = finite.length > columns ? averaged(finite, columns) : stretched(finite, columns);
  const [min, max] = [Math.min(...points), Math.max(...points)];
  return asciichart.plot(points, { height, format: label, ...(min === max ? { min: min - 1e-3, max: max + 1e-3 } : {}) });
}

/** Means of as many neighbouring parts of a series. */
function averaged(values: readonly number[], count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const start = Math.floor((index * values.length) / count);
    const part = values.slice(start, Math.max(start + 1, Math.floor(((index + 1) * values.length) / count)));
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}

/** As many values on the straight lines between those of a series. */
function stretched(values: readonly number[], count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const at = (index * (values.length - 1)) / (count - 1);
    const below = Math.min(Math.floor(at), values.length - 2);
    return values[below]! + (at - below) * (values[below + 1]! - values[below]!);
  });
}
