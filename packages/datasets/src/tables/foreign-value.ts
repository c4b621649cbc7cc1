/**
 * A cell of a column whose type JSON does not have (a time, a decimal, bytes), as Python prints it. It is neither text nor a number, so that a column of
 * such values can lie beside the ones that training reads, and is refused by name where it is read itself.
 */
export class ForeignValue {
  /** The column's type in Arrow's words: `timestamp[us]`, `decimal(10, 2)`, `binary`. */
  readonly type: string;
  /** What Python's `str` gives for the value. */
  readonly text: string;

  constructor(type: string, text: string) {
    this.type = type;
    this.text = text;
  }

  toString(): string {
    return this.text;
  }

  toJSON(): string {
    return this.text;
  }
}
