/** `1.8 GB (1,812,345,678 bytes)`; below a kilobyte only the bytes. */
export function formatBytes(bytes: number): string {
  const exact = `${bytes.toLocaleString("en-US")} ${bytes === 1 ? "byte" : "bytes"}`;
  const unit = ["kB", "MB", "GB", "TB"].findLast((_, index) => bytes >= 1000 ** (index + 1));
  return unit === undefined ? exact : `${(bytes / 1000 ** (["kB", "MB", "GB", "TB"].indexOf(unit) + 1)).toFixed(1)} ${unit} (${exact})`;
}
