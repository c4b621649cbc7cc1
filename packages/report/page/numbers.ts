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

/** Seconds as people say them: `45 s`, `3 min`, `2 h 10 min`, `3 d 4 h`. */
export function shownTime(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
