/** `round(value, places)` of a Python float: exact decimal value, ties to even. */
export function roundFloat(value: number, places: number): number {
  if (!Number.isFinite(value)) return value;
  if (places < 0) {
    const unit = 10 ** -places;
    return roundFloat(value / unit, 0) * unit;
  }
  if (places > 20) return value;
  const exact = Math.abs(value).toFixed(Math.min(100, places + 60));
  const point = exact.indexOf(".");
  const kept = BigInt(exact.slice(0, point) + exact.slice(point + 1, point + 1 + places));
  const rest = exact.slice(point + 1 + places);
  const half = rest[0] === "5" && /^50*$/.test(rest);
  const up = half ? kept % 2n === 1n : rest[0]! >= "5";
  const digits = (kept + (up ? 1n : 0n)).toString().padStart(places + 1, "0");
  const text = `${digits.slice(0, digits.length - places)}.${digits.slice(digits.length - places)}`;
  return Number(text) * (value < 0 || Object.is(value, -0) ? -1 : 1);
}
