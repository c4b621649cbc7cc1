/** Which bytes a 206 answer holds. */
export interface ContentRange {
  start: number;
  /** After the last byte. */
  end: number;
  totalBytes: number;
}

/** Reads `bytes 0-99/1000`; undefined for any other text, an unknown size included. */
export function parseContentRange(header: string | null): ContentRange | undefined {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(header ?? "");
  if (!match) return undefined;
  const [start, last, totalBytes] = [Number(match[1]), Number(match[2]), Number(match[3])];
  return start <= last && last < totalBytes && Number.isSafeInteger(totalBytes) ? { start, end: last + 1, totalBytes } : undefined;
}
