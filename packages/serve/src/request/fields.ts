import { excerpt } from "@kto/core";
import { RequestError } from "../errors.js";

/** Reads the fields of a request. One that is null is one that is not given, as OpenAI's clients send it. Throws RequestError with the name of a field that is not usable. */
export class RequestFields {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  /** The value as it is; undefined where none is given. */
  given(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? (this.#values[name] ?? undefined) : undefined;
  }

  text(name: string): string | undefined {
    const value = this.given(name);
    if (value === undefined || typeof value === "string") return value;
    throw unusable(name, "a text", value);
  }

  flag(name: string): boolean | undefined {
    const value = this.given(name);
    if (value === undefined || typeof value === "boolean") return value;
    throw unusable(name, "true or false", value);
  }

  /** A number of any size, whose range is looked at where it is used. */
  number(name: string): number | undefined {
    const value = this.given(name);
    if (value === undefined || typeof value === "number") return value;
    throw unusable(name, "a number", value);
  }

  integer(name: string, least: number, most: number): number | undefined {
    const value = this.given(name);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most) return value;
    const expected = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
    throw unusable(name, `a whole number ${expected}`, value);
  }

  /** The fields of an object; of none where it is not given. */
  object(name: string): RequestFields {
    const value = this.given(name);
    if (value === undefined) return new RequestFields({});
    if (isObject(value)) return new RequestFields(value);
    throw unusable(name, "an object", value);
  }
}

/** A field that cannot be used. */
export function unusable(param: string, expected: string, got: unknown, advice?: string): RequestError {
  return new RequestError({ operation: param, problem: "not usable", expected, got: excerpt(got), advice }, { param });
}

/** A field that a request must have. */
export function missing(param: string, expected: string): RequestError {
  return new RequestError({ operation: param, problem: "missing", expected }, { param });
}

/** A field that asks for what is not done here. */
export function notSupported(
  param: string,
  got: unknown,
  { expected = "it unset", advice }: { expected?: string; advice: string },
): RequestError {
  return new RequestError(
    { operation: param, problem: "not supported by this server", expected, got: excerpt(got), advice },
    { param, reason: "unsupported_parameter" },
  );
}

/** True for a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
