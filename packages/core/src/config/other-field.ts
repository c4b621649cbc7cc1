import { excerpt } from "../excerpt.js";

/** A field of trl, peft or transformers that is none here: `refused` where it asks for something else than is done, `ignored` where it changes no number. */
export interface OtherField {
  readonly fate: "refused" | "ignored";
  /** What it asks for, or why it has no effect. */
  readonly why: string | undefined;
  /** What to write in its place, where something else does what it asked for. */
  readonly instead?: string;
  /** Values with which it asks for nothing. */
  readonly off: readonly unknown[];
}

/** Other fields by their names on disk. */
export type OtherFields = Readonly<Record<string, OtherField>>;

/** Declares a field that is refused unless it is null or one of the values with which it asks for nothing. */
export function refusedUnless(...off: readonly unknown[]): OtherField {
  return { fate: "refused", why: undefined, off };
}

/** Declares a field that is refused unless it is off (null, false, an empty list or map), and says what it would ask for. */
export function refused(why: string): OtherField {
  return { fate: "refused", why, off: [false, [], {}] };
}

/** Declares a field that is refused likewise and in whose place something else stands: `instead` says what to write. */
export function replaced(why: string, instead: string): OtherField {
  return { ...refused(why), instead };
}

/** Declares a field that is taken without effect. */
export function ignored(why?: string): OtherField {
  return { fate: "ignored", why, off: [false] };
}

/** True if another field holds a value that asks for nothing. */
export function asksForNothing({ off }: OtherField, value: unknown): boolean {
  return value === null || value === undefined || off.some((one) => excerpt(one) === excerpt(value));
}
