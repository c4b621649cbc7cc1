import { clipMiddle } from "./format.js";

/** How far the transfer of a file, or of several, is. */
export interface Transfer {
  name: string;
  loadedBytes: number;
  totalBytes: number;
  elapsedMs: number;
  bytesPerSecond: number;
}

const longestBar = 10;
const shortestBar = 4;

/**
 * A line of a download as Python's tools print it, at most `width` wide; a long name is cut in the middle. With `bar`, the room left becomes a bar.
 *
 *   model.safetensors: 100% 1.81G/1.81G [00:42<00:00, 37.7MB/s]
 */
export function transferLine(
  { name, loadedBytes, totalBytes, elapsedMs, bytesPerSecond }: Transfer,
  width: number,
  { bar = false }: { bar?: boolean } = {},
): string {
  const share = totalBytes === 0 ? 1 : Math.min(1, loadedBytes / totalBytes);
  const left = share === 1 ? 0 : (totalBytes - loadedBytes) / bytesPerSecond;
  const percent = `${Math.floor(100 * share)}%`.padStart(4);
  const rest = `${formatSize(loadedBytes)}/${formatSize(totalBytes)} [${formatClock(elapsedMs / 1000)}<${formatClock(left)}, ${bytesPerSecond > 0 ? formatSize(bytesPerSecond) : "?"}B/s]`;
  const room = width - percent.length - rest.length - 3; // colon and blanks
  const barWidth = Math.min(longestBar, room - name.length - 1);
  const drawn = bar && barWidth >= shortestBar ? ` ${drawBar(share, barWidth)}` : "";
  return `${clipMiddle(name, Math.max(1, room - drawn.length))}: ${percent}${drawn} ${rest}`;
}

function drawBar(share: number, width: number): string {
  const full = Math.floor(share * width);
  return "█".repeat(full) + "░".repeat(width - full);
}

/** Bytes in three digits, units of 1,000: `231`, `6.77k`, `37.7M`, `1.81G`. */
export function formatSize(bytes: number): string {
  const units = ["", "k", "M", "G", "T"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  if (unit === 0) return String(Math.round(value));
  return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)}${units[unit]}`;
}

/** Seconds as a clock: `00:42`, `1:02:03`; `?` for what nobody knows. */
export function formatClock(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds >= 360_000) return "?";
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (value: number): string => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  return `${hours > 0 ? `${hours}:` : ""}${pad(Math.floor((whole % 3600) / 60))}:${pad(whole % 60)}`;
}
