/** One thing worth knowing of how rows are read: said once, with how many rows it holds for. */
export interface DataNote {
  /** What sort of thing it is, for programs: `layout`, `labels as text`. Notes of one kind are one note. */
  kind: string;
  /** One sentence without a full stop; that of the first row of its kind. */
  text: string;
  /** Rows of the data that it holds for (a pair is one row); absent where it is said of the data as a whole. */
  count?: number;
  /** Index of the first of them. */
  row?: number;
}

/** Collects notes while rows are read: one of each kind, in the order in which they come up. */
export class DataNotes {
  readonly #notes = new Map<string, { text: string; rows: Set<number>; first: number }>();

  /** Notes something of the row with index `row`, or without one of the data as a whole. The text that comes first stays. */
  add(kind: string, text: string, row?: number): void {
    let note = this.#notes.get(kind);
    if (!note) this.#notes.set(kind, (note = { text, rows: new Set(), first: Infinity }));
    if (row === undefined) return;
    note.rows.add(row);
    note.first = Math.min(note.first, row);
  }

  /** The notes so far. */
  list(): DataNote[] {
    return Array.from(this.#notes, ([kind, { text, rows, first }]) => ({
      kind,
      text,
      ...(rows.size > 0 && { count: rows.size, row: first }),
    }));
  }
}

/** A note as a sentence: `labels are text; … (2 rows, the first is row 0)`. */
export function describeNote({ text, count, row }: DataNote): string {
  if (count === undefined) return text;
  return count === 1 ? `${text} (row ${row})` : `${text} (${count} rows, the first is row ${row})`;
}
