/** The fields of a JSON object, none of them believed yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** A JSON value as an object; an empty one for what is none. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** True for a text with something in it. */
export function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** A text or a list of them as a list; anything else among them is left out. */
export function textsOf(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).filter(isText);
}
