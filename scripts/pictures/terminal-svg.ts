import { createRequire } from "node:module";
import type * as Xterm from "@xterm/headless";

// CommonJS whose names Node does not find.
const { Terminal } = createRequire(import.meta.url)("@xterm/headless") as typeof Xterm;

/** Colours of a terminal: those of the numbers that programs use, by number, and of what has none. */
export interface Palette {
  background: string;
  text: string;
  colors: Readonly<Record<number, string>>;
}

/** Characters in a row that look alike. */
interface Run {
  column: number;
  columns: number;
  text: string;
  color: string;
  isBold: boolean;
  isDim: boolean;
  /** Braille, blocks and lines, which are drawn and not written. */
  isDrawn: boolean;
}

/** From the middle of a cell, where each line goes: halves of its width to the right and of its height downwards. */
const lineEnds: Readonly<Record<string, readonly (readonly [right: number, down: number])[]>> = {
  "─": [[-1, 0], [1, 0]],
  "│": [[0, -1], [0, 1]],
  "┤": [[0, -1], [0, 1], [-1, 0]],
  "└": [[0, -1], [1, 0]],
}; // prettier-ignore

const cellWidth = 8.4;
const cellHeight = 18;
const fontSize = 14;
const margin = 16;

/**
 * What a terminal shows after it was sent `output`, as an SVG: lines from the first that `from` is in to the one before the first after it that `until` is in.
 * Braille, blocks and lines are drawn as shapes, and text is set to its columns, so that nothing depends on the reader's fonts. Throws RangeError where a line is missing.
 */
export async function terminalSvg(
  output: string,
  { columns, from, until, palette, title }: { columns: number; from: RegExp; until: RegExp; palette: Palette; title: string },
): Promise<string> {
  const terminal = new Terminal({ cols: columns, rows: 50, scrollback: 10_000, allowProposedApi: true });
  await new Promise<void>((resolve) => terminal.write(output, resolve));
  const { normal } = terminal.buffer;
  const texts = Array.from({ length: normal.length }, (_, row) => normal.getLine(row)!.translateToString(true));
  const first = texts.findIndex((text) => from.test(text));
  const end = texts.findIndex((text, row) => row > first && until.test(text));
  if (first < 0 || end < 0)
    throw new RangeError(
      `terminalSvg: the output lacks a line; expected one with ${String(from)} and then one with ${String(until)}, got ${texts.length} lines; look at what the program prints`,
    );
  const last = texts.slice(first, end).findLastIndex((text) => text !== "");
  const rows = Array.from({ length: last + 1 }, (_, row) => runsOf(normal.getLine(first + row)!, palette));
  terminal.dispose();
  return svgOf(rows, columns, palette, title);
}

function runsOf(line: Xterm.IBufferLine, { text: plain, colors }: Palette): Run[] {
  const runs: Run[] = [];
  for (let column = 0; column < line.length; column++) {
    const cell = line.getCell(column)!;
    const text = cell.getChars();
    if (cell.getWidth() === 0 || text.trim() === "") continue;
    const color = cell.isFgPalette() ? (colors[cell.getFgColor()] ?? plain) : plain;
    const run = {
      column,
      columns: cell.getWidth(),
      text,
      color,
      isBold: cell.isBold() !== 0,
      isDim: cell.isDim() !== 0,
      isDrawn: isDrawn(text),
    };
    const before = runs.at(-1);
    const touches = before && before.column + before.columns === column && before.color === color && before.isDrawn === run.isDrawn;
    if (
      touches &&
      before.isBold === run.isBold &&
      before.isDim === run.isDim &&
      run.columns === 1 &&
      before.columns === before.text.length
    ) {
      before.text += text;
      before.columns++;
    } else runs.push(run);
  }
  return runs;
}

function isDrawn(text: string): boolean {
  return /^[⠀-⣿█░▁-▇]$/.test(text) || text in lineEnds;
}

function svgOf(rows: readonly Run[][], columns: number, { background, text }: Palette, title: string): string {
  const [width, height] = [Math.ceil(columns * cellWidth + 2 * margin), rows.length * cellHeight + 2 * margin];
  const parts = rows.flatMap((runs, row) => runs.map((run) => (run.isDrawn ? shapesOf(run, row) : textOf(run, row))));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${escaped(title)}</title>
<rect width="${width}" height="${height}" rx="8" fill="${background}"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="${fontSize}" fill="${text}" style="white-space:pre">
${parts.join("\n")}
</g>
</svg>
`;
}

function textOf({ column, columns, text, color, isBold, isDim }: Run, row: number): string {
  const look = `fill="${color}"${isBold ? ' font-weight="bold"' : ""}${isDim ? ' opacity="0.6"' : ""}`;
  const [x, y, length] = [left(column), rounded(margin + (row + 0.75) * cellHeight), rounded(columns * cellWidth)];
  return `<text x="${x}" y="${y}" textLength="${length}" lengthAdjust="spacingAndGlyphs" ${look}>${escaped(text)}</text>`;
}

/** Braille as round dots, blocks as bars from the foot of the line, lines from the middle of a cell to its edges. */
function shapesOf({ column, text, color, isDim }: Run, row: number): string {
  const top = margin + row * cellHeight;
  const dots: string[] = [];
  const lines: string[] = [];
  const bars: string[] = [];
  for (const [index, character] of [...text].entries()) {
    const code = character.codePointAt(0)!;
    const x = margin + (column + index) * cellWidth;
    if (code >= 0x2800) {
      for (const [right, down] of dotPlaces(code - 0x2800))
        dots.push(`M${rounded(x + (right + 0.5) * (cellWidth / 2))} ${rounded(top + (down + 0.5) * (cellHeight / 4))}h0`);
    } else if (character in lineEnds) {
      const middle = `M${rounded(x + cellWidth / 2)} ${rounded(top + cellHeight / 2)}`;
      for (const [right, down] of lineEnds[character]!)
        lines.push(`${middle}l${rounded((right * cellWidth) / 2)} ${rounded((down * cellHeight) / 2)}`);
    } else {
      const size = ((character === "░" ? 8 : code - 0x2580) / 8) * cellHeight;
      const light = character === "░" ? ' opacity="0.3"' : "";
      bars.push(
        `<rect x="${rounded(x)}" y="${rounded(top + cellHeight - size)}" width="${cellWidth}" height="${rounded(size)}" fill="${color}"${light}/>`,
      );
    }
  }
  const stroke = `stroke="${color}"${isDim ? ' opacity="0.6"' : ""} fill="none"`;
  if (dots.length > 0) bars.push(`<path d="${dots.join("")}" ${stroke} stroke-width="2.6" stroke-linecap="round"/>`);
  if (lines.length > 0) bars.push(`<path d="${lines.join("")}" ${stroke}/>`);
  return bars.join("");
}

/** Columns and rows of the dots of a braille character, from its bits. */
function dotPlaces(bits: number): [right: number, down: number][] {
  const places: [number, number][] = [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2], [0, 3], [1, 3]]; // prettier-ignore
  return places.filter((_, bit) => bits & (1 << bit));
}

function left(column: number): number {
  return rounded(margin + column * cellWidth);
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
