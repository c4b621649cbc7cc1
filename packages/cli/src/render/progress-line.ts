import { clip, clipMiddle } from "./format.js";

/** What is counted: bytes, or things by their plural, such as `rows`. */
export type ProgressUnit = "bytes" | (string & {});

/** How far something is. */
export interface ProgressState {
  name: string;
  done: number;
  total: number;
  unit: ProgressUnit;
  elapsedMs: number;
  /** How many of the unit a second; 0 where nobody knows yet. */
  perSecond: number;
  /** What else is to be told; it stands where the speed would. */
  text?: string | undefined;
}

const longestBar = 10;
const shortestBar = 4;
/** What stays of a name in a narrow window, which cuts the end of the line then. */
const leastName = 12;
/** The bar grows with a terminal that is wider than this, to three times its length. */
const usualWidth = 80;

/**
 * How far something is in one line, as Python's tools print it, at most `width` wide; a long name is cut in the middle. With `bar`, the room left becomes a bar.
 *
 *   model.safetensors:  49% ████░░░░░░ 900M/1.81G [00:24<00:24, 37.7MB/s]
 *   tokenizing:  12% █░░░░░░░░░ 1700/14000 [00:03<00:21, 567 rows/s]
 */
export function progressLine(state: ProgressState, width: number, { bar = false }: { bar?: boolean } = {}): string {
  const { name, done, total, unit, elapsedMs, perSecond, text } = state;
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const left = share === 1 ? 0 : perSecond > 0 ? (total - done) / perSecond : Infinity;
  const percent = `${Math.floor(100 * share)}%`.padStart(4);
  const amount = unit === "bytes" ? `${formatSize(done)}/${formatSize(total)}` : `${done}/${total}`;
  const more = text ?? formatSpeed(perSecond, unit);
  const rest = `${amount} [${formatClock(elapsedMs / 1000)}<${formatClock(left)}${more === "" ? "" : `, ${more}`}]`;
  const room = width - percent.length - rest.length - 3; // colon and blanks
  const barWidth = Math.min(Math.max(longestBar, Math.min(3 * longestBar, width - usualWidth)), room - name.length - 1);
  const drawn = bar && barWidth >= shortestBar ? ` ${drawBar(share, barWidth)}` : "";
  const shownName = clipMiddle(name, Math.max(leastName, room - drawn.length));
  const line = `${shownName}: ${percent}${drawn} ${rest}`;
  // In a narrow window the share, which the amount tells too, gives way to the time that is left.
  return line.length <= width ? line : clip(`${shownName}: ${rest}`, Math.max(1, width));
}

function drawBar(share: number, width: number): string {
  const full = Math.floor(share * width);
  return "█".repeat(full) + "░".repeat(width - full);
}

function formatSpeed(perSecond: number, unit: ProgressUnit): string {
  if (unit === "bytes") return `${perSecond > 0 ? formatSize(perSecond) : "?"}B/s`;
  if (perSecond <= 0) return `? ${unit}/s`;
  return `${perSecond < 9.95 ? perSecond.toFixed(1) : Math.round(perSecond)} ${unit}/s`;
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
