const UNITS = ["kB", "MB", "GB", "TB"];

/** `1.8 GB (1,812,345,678 bytes)`; below a kilobyte only the bytes. */
export function formatBytes(bytes: number): string {
  const exact = `${bytes.toLocaleString("en-US")} ${bytes === 1 ? "byte" : "bytes"}`;
  const power = UNITS.findLastIndex((_, index) => bytes >= 1000 ** (index + 1)) + 1;
  return power === 0 ? exact : `${(bytes / 1000 ** power).toFixed(1)} ${UNITS[power - 1]} (${exact})`;
}
