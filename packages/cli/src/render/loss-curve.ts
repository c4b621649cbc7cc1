import asciichart from "asciichart";

/** A small chart of a series, at most `width` columns wide; the series is averaged into as many points as fit. Empty for fewer than two values. */
export function chart(values: readonly number[], { width = 78, height = 8 }: { width?: number; height?: number } = {}): string {
  const finite = values.filter(Number.isFinite);
  if (finite.length < 2) return "";
  const label = (value: number): string => value.toPrecision(4).padStart(9);
  const points = resample(finite, width - 12);
  const [min, max] = [Math.min(...points), Math.max(...points)];
  return asciichart.plot(points, { height, format: label, ...(min === max ? { min: min - 1e-3, max: max + 1e-3 } : {}) });
}

function resample(values: readonly number[], most: number): number[] {
  if (values.length <= most) return [...values];
  return Array.from({ length: most }, (_, index) => {
    const part = values.slice(
      Math.floor((index * values.length) / most),
      Math.max(Math.floor((index * values.length) / most) + 1, Math.floor(((index + 1) * values.length) / most)),
    );
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}
