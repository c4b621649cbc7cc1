import { ROW_COLUMNS } from "../row-columns.js";
import { cellsOf } from "./cells.js";

/** What may stand between cells, the usual first. */
const SEPARATORS = [",", "\t", ";", "|"];

/** How the first line of a table is to be read. */
export interface HeaderLayout {
  separator: string;
  /** How many names of its cells are columns that training reads. */
  knownColumns: number;
  numCells: number;
}

/**
 * What separates the cells of a table, by its first line: of comma, tab, semicolon and bar the one that makes most columns which training reads; then
 * `usual`, if the line holds it; then the one that makes most cells.
 */
export function layoutOf(text: string, usual = ","): HeaderLayout {
  const layouts = [usual, ...SEPARATORS.filter((separator) => separator !== usual)].map((separator) => {
    const cells = cellsOf(text, 0, separator);
    const knownColumns = cells.filter((cell) => ROW_COLUMNS.has(cell.trim())).length;
    return { separator, knownColumns, numCells: cells.length };
  });
  const most = Math.max(...layouts.map(({ knownColumns }) => knownColumns));
  const best = layouts.filter(({ knownColumns }) => knownColumns === most);
  return (
    best.find(({ separator, numCells }) => separator === usual && numCells > 1) ?? best.reduce((a, b) => (b.numCells > a.numCells ? b : a))
  );
}

/** The separator that a line `sep=;` declares, which Excel writes above the header. */
export function declaredSeparator(text: string): string | undefined {
  return /^"?sep=([^\r\n"])"?(?:\r\n|\r|\n)/.exec(text)?.[1];
}

/** The names of columns as pandas gives them: a cell without a name is `Unnamed: 0` (its place), a repeated one gets `.1`, `.2`, …. */
export function columnNamesOf(cells: readonly string[]): string[] {
  const given = cells.map((cell, index) => (cell.trim() === "" ? `Unnamed: ${index}` : cell.trim()));
  const taken = new Set(given);
  const seen = new Map<string, number>();
  return given.map((name) => {
    let count = seen.get(name) ?? 0;
    if (count === 0) {
      seen.set(name, 1);
      return name;
    }
    while (taken.has(`${name}.${count}`)) count++;
    const renamed = `${name}.${count}`;
    seen.set(name, count + 1);
    taken.add(renamed);
    return renamed;
  });
}
