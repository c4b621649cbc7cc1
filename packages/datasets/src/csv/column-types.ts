/** Makes the value of a cell. */
export type CellReader = (cell: string) => string | number | bigint | boolean | null;

/** What pandas takes for a missing value; in columns of text it is text here. */
const MISSING = new Set("|#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null".split("|"));

const numberPattern = /^\s*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf|infinity)\s*$/i;
const booleanPattern = /^(?:true|false)$/i;

/** Finds what the cells of a column are, as pandas does for a whole column: booleans, numbers, or text. */
export class ColumnType {
  #canBeBoolean = true;
  #canBeNumber = true;
  #hasValue = false;

  /** True once the column can only be text. */
  get isText(): boolean {
    return !this.#canBeBoolean && !this.#canBeNumber;
  }

  add(cell: string): void {
    if (MISSING.has(cell)) return;
    this.#hasValue = true;
    this.#canBeBoolean &&= booleanPattern.test(cell);
    this.#canBeNumber &&= numberPattern.test(cell) && isHeld(cell);
  }

  /** How cells are read. */
  get reader(): CellReader {
    if (!this.#hasValue) return () => null;
    if (this.isText) return asText;
    return this.#canBeBoolean ? asBoolean : asNumber;
  }
}

export const asText: CellReader = (cell) => cell;
const asBoolean: CellReader = (cell) => (MISSING.has(cell) ? null : cell.toLowerCase() === "true");
const asNumber: CellReader = (cell) => {
  if (MISSING.has(cell)) return null;
  const text = cell.trim();
  if (/inf/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  const value = Number(text);
  return Number.isSafeInteger(value) || !/^[+-]?\d+$/.test(text) ? value + 0 : BigInt(text.replace("+", ""));
};

/** False for an integer that no 64 bits hold, which leaves its column text. */
function isHeld(cell: string): boolean {
  if (cell.length < 19 || !/^\s*[+-]?\d+\s*$/.test(cell)) return true;
  if (cell.length > 40) return false;
  const value = BigInt(cell.trim().replace("+", ""));
  return value >= -(2n ** 63n) && value < 2n ** 64n;
}
