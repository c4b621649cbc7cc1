/** Parts of a second that a unit counts. */
export const UNITS = { s: 1n, ms: 1_000n, us: 1_000_000n, ns: 1_000_000_000n } as const;

/** Unit of a time in a table. */
export type TimeUnit = keyof typeof UNITS;

const DAY = 86_400n;
const HOUR = 3_600n;

/** Days from 1 January 1970 to the ends of Python's years 1 to 9999. */
const FIRST_DAY = -719_162n;
const LAST_DAY = 2_932_896n;

/** `str(datetime)`: `2024-01-02 03:04:05.000678`, with the offset of its zone where it has one; a count of the unit for a year that Python does not have. */
export function timestampText(count: bigint, unit: TimeUnit, zone?: string): string {
  const offset = zone === undefined ? 0n : zoneOffset(zone, floorDivide(count, UNITS[unit]));
  const seconds = floorDivide(count, UNITS[unit]) + offset;
  const day = floorDivide(seconds, DAY);
  if (day < FIRST_DAY || day > LAST_DAY) return `${count} ${unit}`;
  const ofDay = (seconds - day * DAY) * UNITS[unit] + modulo(count, UNITS[unit]);
  return `${dateText(Number(day))} ${timeText(ofDay, unit)}${zone === undefined ? "" : offsetText(offset)}`;
}

/** `str(date)`: `2024-01-02`, from days since 1 January 1970. */
export function dateText(days: number): string {
  if (days < FIRST_DAY || days > LAST_DAY) return `${days} days`;
  const date = new Date(days * 86_400_000);
  const pad = (value: number, length: number): string => String(value).padStart(length, "0");
  return `${pad(date.getUTCFullYear(), 4)}-${pad(date.getUTCMonth() + 1, 2)}-${pad(date.getUTCDate(), 2)}`;
}

/** `str(time)`: `03:04:05.000678`, from a count of units since midnight. */
export function timeText(count: bigint, unit: TimeUnit): string {
  const seconds = floorDivide(count, UNITS[unit]);
  if (seconds < 0n || seconds >= DAY) return `${count} ${unit}`;
  return clock(seconds, modulo(count, UNITS[unit]), unit, 2);
}

/** `str(timedelta)`: `5 days, 1:02:03.000004`; the clock counts forward from whole days, as Python's does. */
export function durationText(count: bigint, unit: TimeUnit): string {
  const seconds = floorDivide(count, UNITS[unit]);
  const days = floorDivide(seconds, DAY);
  const text = clock(seconds - days * DAY, modulo(count, UNITS[unit]), unit, 1);
  return days === 0n ? text : `${days} day${days === 1n || days === -1n ? "" : "s"}, ${text}`;
}

/** `str(Decimal)` of a whole number and the count of its digits after the point. */
export function decimalText(unscaled: bigint, scale: number): string {
  const sign = unscaled < 0n ? "-" : "";
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString();
  const adjusted = digits.length - 1 - scale;
  if (scale === 0) return sign + digits;
  if (scale > 0 && adjusted >= -6) {
    const padded = digits.padStart(scale + 1, "0");
    return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
  }
  const mantissa = digits.length === 1 ? digits : `${digits[0]}.${digits.slice(1)}`;
  return `${sign}${mantissa}E${adjusted < 0 ? "" : "+"}${adjusted}`;
}

/** `str(bytes)`: `b'\xff\x00'`. */
export function bytesText(bytes: Uint8Array): string {
  const quote = bytes.includes(0x27) && !bytes.includes(0x22) ? '"' : "'";
  const named: Record<number, string> = { 9: "\\t", 10: "\\n", 13: "\\r", 92: "\\\\" };
  let text = "";
  for (const byte of bytes) {
    const letter = String.fromCharCode(byte);
    if (letter === quote) text += `\\${quote}`;
    else text += named[byte] ?? (byte < 32 || byte > 126 ? `\\x${byte.toString(16).padStart(2, "0")}` : letter);
  }
  return `b${quote}${text}${quote}`;
}

/** `str(UUID)` of 16 bytes. */
export function uuidText(bytes: Uint8Array): string {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

function clock(seconds: bigint, fraction: bigint, unit: TimeUnit, hourDigits: number): string {
  const two = (value: bigint, length = 2): string => String(value).padStart(length, "0");
  const text = `${two(seconds / HOUR, hourDigits)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`;
  if (fraction === 0n) return text;
  const digits = unit === "ns" && fraction % 1000n !== 0n ? 9 : 6;
  return `${text}.${String((fraction * 10n ** BigInt(digits)) / UNITS[unit]).padStart(digits, "0")}`;
}

/** Seconds that a zone is ahead of UTC at a moment; none for a zone that this engine does not know. */
function zoneOffset(zone: string, epochSeconds: bigint): bigint {
  const fixed = /^([+-])(\d\d):?(\d\d)$/.exec(zone);
  if (fixed) return (fixed[1] === "-" ? -1n : 1n) * (BigInt(fixed[2]!) * HOUR + BigInt(fixed[3]!) * 60n);
  if (/^(utc|gmt|z|etc\/utc)$/i.test(zone)) return 0n;
  try {
    const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
    const name = format.formatToParts(new Date(Number(epochSeconds) * 1000)).find(({ type }) => type === "timeZoneName")?.value ?? "";
    return name === "GMT" ? 0n : zoneOffset(name.replace("GMT", ""), 0n);
  } catch {
    return 0n;
  }
}

function offsetText(offset: bigint): string {
  const size = offset < 0n ? -offset : offset;
  return `${offset < 0n ? "-" : "+"}${String(size / HOUR).padStart(2, "0")}:${String((size / 60n) % 60n).padStart(2, "0")}`;
}

function floorDivide(value: bigint, by: bigint): bigint {
  return (value - modulo(value, by)) / by;
}

function modulo(value: bigint, by: bigint): bigint {
  return ((value % by) + by) % by;
}
