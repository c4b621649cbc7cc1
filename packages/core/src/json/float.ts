const mark: unique symbol = Symbol.for("@kto/float") as never;

/**
 * A number that a file writes as a float although it is whole: `25.0`. JavaScript has one kind of number; Python prints 25.0 and 25 differently, and a
 * template that prints it trains on other text. Computes as its value; prints as Python does. Recognised across copies of a package.
 */
export class Float extends Number {
  static {
    Object.defineProperty(this.prototype, mark, { value: true }); // there, and not on each number: a file may hold millions
  }

  /** `25.0`, `1e+16`, `-0.0`: the text of a Python float. */
  override toString(): string {
    return floatText(this.valueOf());
  }
}

/** True for a {@link Float}, also one made by another copy of a package. */
export function isFloat(value: unknown): value is Float {
  return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[mark] === true;
}

/** `repr` of a Python float: the shortest digits that read back as the same number, with an exponent below 1e-4 and from 1e16 on; `nan`, `inf`, `-inf`. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [mantissa = "", exponentText = "0"] = value.toExponential().split("e");
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16) {
    const digits = Math.abs(exponent).toString().padStart(2, "0");
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${digits}`;
  }
  const decimals = mantissa.replace(/^-?\d\.?/, "").length;
  return value.toFixed(Math.max(1, decimals - exponent));
}
