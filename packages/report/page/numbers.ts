/** A number as a reader wants it: six significant digits, thousands apart, powers of ten where it is tiny. */
export function shown(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  return size < 1e-4 || size >= 1e9 ? value.toExponential(5).replace(/\.?0+e/, "e") : String(Number(value.toPrecision(6)));
}

/** Bytes in MiB or GiB. */
export function shownBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return "–";
  const mebibytes = bytes / 2 ** 20;
  return mebibytes < 1024 ? `${Math.round(mebibytes)} MiB` : `${(mebibytes / 1024).toFixed(2)} GiB`;
}

/** The value of a metric by its name. */
export function shownMetric(name: string, value: number | null | undefined): string {
  return name.endsWith("_bytes") ? shownBytes(value) : shown(value);
}

/**
 * Exponential moving average with weight `smoothing` (0 to below 1) on what came before, without a pull towards 0 at the start: the mean of all points so far, each
 * weighing `smoothing` times what the next does. Gaps stay gaps.
 */
export function smooth(values: readonly (number | null | undefined)[], smoothing: number): (number | null | undefined)[] {
  let [mean, weight] = [0, 0];
  return values.map((value) => {
    if (value === null || value === undefined) return value;
    mean = mean * smoothing + (1 - smoothing) * value;
    weight = weight * smoothing + (1 - smoothing);
    return mean / weight;
  });
}
