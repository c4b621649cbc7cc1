import { RowSet } from "./row-set.js";

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

/** What {@link DataNotes} keeps of a kind. */
interface KeptNote {
  text: string;
  /** Rows that were noted one by one. */
  rows: RowSet;
  /** Rows of notes that were taken over as they are. */
  more: number;
  first: number;
}

/** Collects notes while rows are read: one of each kind, in the order in which they come up. */
export class DataNotes {
  readonly #notes = new Map<string, KeptNote>();

  /** Notes something of the row with index `row`, or without one of the data as a whole. The text that comes first stays. */
  add(kind: string, text: string, row?: number): void {
    const note = this.#noteOf(kind, text);
    if (row === undefined) return;
    note.rows.add(row);
    note.first = Math.min(note.first, row);
  }

  /** Takes over a note that was collected when the same rows were read before. */
  include({ kind, text, count = 0, row = Infinity }: DataNote): void {
    const note = this.#noteOf(kind, text);
    note.more += count;
    note.first = Math.min(note.first, row);
  }

  #noteOf(kind: string, text: string): KeptNote {
    let note = this.#notes.get(kind);
    if (!note) this.#notes.set(kind, (note = { text, rows: new RowSet(), more: 0, first: Infinity }));
    return note;
  }

  /** The notes so far. */
  list(): DataNote[] {
    return Array.from(this.#notes, ([kind, { text, rows, more, first }]) => ({
      kind,
      text,
      ...(rows.size + more > 0 && { count: rows.size + more, row: first }),
    }));
  }
}

/** A note as a sentence: `labels are text; … (2 rows, the first is row 0)`. */
export function describeNote({ text, count, row }: DataNote): string {
  if (count === undefined) return text;
  return count === 1 ? `${text} (row ${row})` : `${text} (${count} rows, the first is row ${row})`;
}
