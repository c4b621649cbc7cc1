/** The bit of each dot of a character, by row and column: Unicode numbers the left column downwards, then the right, and the lowest row last. */
const dotBits = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;

const firstBraille = 0x2800;

/** Dots in characters of a terminal, two by four in each. `x` grows to the right, `y` downwards. */
export class BrailleCanvas {
  readonly #columns: number;
  readonly #cells: Uint8Array;

  constructor(columns: number, rows: number) {
    this.#columns = columns;
    this.#cells = new Uint8Array(columns * rows);
  }

  get dotColumns(): number {
    return 2 * this.#columns;
  }

  get dotRows(): number {
    return (4 * this.#cells.length) / this.#columns;
  }

  /** A straight line between two dots, both drawn. */
  line(from: { x: number; y: number }, to: { x: number; y: number }): void {
    const steps = Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y), 1);
    for (let step = 0; step <= steps; step++)
      this.#dot(Math.round(from.x + ((to.x - from.x) * step) / steps), Math.round(from.y + ((to.y - from.y) * step) / steps));
  }

  /** The rows as text, each as long as the canvas is wide; blank where there is no dot. */
  rows(): string[] {
    return Array.from({ length: this.#cells.length / this.#columns }, (_, row) => {
      const cells = this.#cells.subarray(row * this.#columns, (row + 1) * this.#columns);
      return Array.from(cells, (bits) => (bits === 0 ? " " : String.fromCharCode(firstBraille + bits))).join("");
    });
  }

  #dot(x: number, y: number): void {
    this.#cells[(y >> 2) * this.#columns + (x >> 1)]! |= dotBits[y & 3]![x & 1]!;
  }
}
