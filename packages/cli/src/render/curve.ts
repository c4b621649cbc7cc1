import { BrailleCanvas } from "./braille-canvas.js";
import { formatNumber } from "./format.js";

/** A value at a step; `y` may be NaN or infinite, which is a gap. */
export interface Point {
  x: number;
  y: number;
}

/** How parts of a picture are coloured. */
export interface CurvePaint {
  line(text: string): string;
  mark(text: string): string;
  axis(text: string): string;
}

/** What a curve is drawn with. */
export interface CurveOptions {
  /** Columns, axes included. */
  width: number;
  /** Rows without the axis below; odd, so that one lies in the middle. Default 7. */
  height?: number;
  /** What `x` counts. Default `step`. */
  unit?: string;
  /** Points of another series, each a letter `o` over the curve. */
  marks?: readonly Point[];
  paint?: CurvePaint;
}

interface Bounds {
  minX: number;
  maxX: number;
  minY: number;
  maxY: number;
}

const unpainted: CurvePaint = { line: String, mark: String, axis: String };
const markCharacter = "o";

/** Least columns of the curve itself. */
const leastColumns = 8;

/**
 * A curve in braille, two by four dots a character, with the highest and the lowest value beside it and the steps below. Every value is on a line that is
 * drawn, so that no extreme is lost however many there are. No lines for fewer than two values, for values all at one step, and where there is no room.
 *
 *   0.6931 ┤⢢
 *          │ ⠑⢄⡀
 *   0.4023 ┤   ⠈⠒⠤
 *          └ step 1 ── 60
 */
export function drawCurve(points: readonly Point[], options: CurveOptions): string[] {
  const { width, height = 7, unit = "step", marks = [], paint = unpainted } = options;
  const shownMarks = marks.filter(isFinitePoint);
  const bounds = boundsOf([...points.filter(isFinitePoint), ...shownMarks]);
  if (points.filter(isFinitePoint).length < 2 || bounds.minX === bounds.maxX) return [];
  const labels = scaleLabels(bounds, height);
  const labelWidth = Math.max(...labels.map((label) => label?.length ?? 0));
  const columns = width - labelWidth - 2;
  if (columns < leastColumns) return [];

  const canvas = new BrailleCanvas(columns, height);
  const place = placing(bounds, canvas);
  let before: Point | undefined;
  for (const point of points) {
    const at = isFinitePoint(point) ? place(point) : undefined;
    if (at) canvas.line(before ?? at, at);
    before = at;
  }
  const marked = new Set(shownMarks.map(place).map(({ x, y }) => (y >> 2) * columns + (x >> 1)));
  const rows = canvas.rows().map((row, index) => {
    const text = [...row].map((character, column) => (marked.has(index * columns + column) ? markCharacter : character)).join("");
    const label = labels[index];
    const scale = `${(label ?? "").padStart(labelWidth)} ${label === undefined ? "│" : "┤"}`;
    return paint.axis(scale) + painted(text.trimEnd(), paint);
  });
  return [...rows, paint.axis(`${" ".repeat(labelWidth)} └${stepAxis(bounds, columns, unit)}`)];
}

function isFinitePoint({ x, y }: Point): boolean {
  return Number.isFinite(x) && Number.isFinite(y);
}

function boundsOf(points: readonly Point[]): Bounds {
  const bounds = { minX: Infinity, maxX: -Infinity, minY: Infinity, maxY: -Infinity };
  for (const { x, y } of points) {
    bounds.minX = Math.min(bounds.minX, x);
    bounds.maxX = Math.max(bounds.maxX, x);
    bounds.minY = Math.min(bounds.minY, y);
    bounds.maxY = Math.max(bounds.maxY, y);
  }
  return bounds;
}

/** Which dot a point is; equal values lie in the middle. Halves, since the difference of two doubles may be none. */
function placing({ minX, maxX, minY, maxY }: Bounds, { dotColumns, dotRows }: BrailleCanvas): (point: Point) => Point {
  const height = maxY / 2 - minY / 2;
  return ({ x, y }) => ({
    x: Math.round(((x - minX) / (maxX - minX)) * (dotColumns - 1)),
    y: Math.round((height === 0 ? 0.5 : (maxY / 2 - y / 2) / height) * (dotRows - 1)),
  });
}

/** A label for the top row, the middle and the bottom, in as many digits as tell them apart. */
function scaleLabels({ minY, maxY }: Bounds, height: number): (string | undefined)[] {
  const labels: (string | undefined)[] = Array.from({ length: height });
  const middle = height >> 1;
  if (minY === maxY) {
    labels[middle] = formatNumber(minY, 6);
    return labels;
  }
  const size = Math.max(Math.abs(minY), Math.abs(maxY));
  const digits = Math.min(12, Math.max(3, 3 + Math.ceil(Math.log10(size / 2 / (maxY / 2 - minY / 2)))));
  labels[0] = formatNumber(maxY, digits);
  labels[middle] = formatNumber(maxY / 2 + minY / 2, digits);
  labels[height - 1] = formatNumber(minY, digits);
  return labels;
}

/** ` step 1 ─────── 30 ─────── 60`, exactly `columns` wide: the first and the last step at their places, and one between where there is room. */
function stepAxis({ minX, maxX }: Bounds, columns: number, unit: string): string {
  const line = Array.from({ length: columns }, () => "─");
  const put = (text: string, start: number): void => {
    for (const [index, character] of [...text].entries()) line[start + index] = character;
  };
  const [first, last] = [` ${unit} ${minX} `, ` ${maxX}`];
  const half = ` ${Math.round((minX + maxX) / 2)} `;
  if (first.length + last.length > columns) return line.join("");
  put(first, 0);
  put(last, columns - last.length);
  const start = Math.round((columns - half.length) / 2);
  const hasRoom = start > first.length + 2 && start + half.length + 2 < columns - last.length;
  if (hasRoom && maxX - minX >= 2) put(half, start);
  return line.join("");
}

/** A row of the curve, in the colours of what is drawn. */
function painted(row: string, { line, mark }: CurvePaint): string {
  return row.replaceAll(/[^o ][^o]*|o+/g, (part) => (part.startsWith(markCharacter) ? mark(part) : line(part)));
}
