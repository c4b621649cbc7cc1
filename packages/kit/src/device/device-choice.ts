import { ArgumentError, excerpt } from "@kto/core";

/** Where to compute: `auto` takes the machine's GPU and, where there is none, the software adapter. */
export type DeviceChoice = "auto" | "gpu" | "software";

/** The choice that a word stands for; `place` says where it was written. Throws ArgumentError for another word. */
export function deviceChoice(word: string | undefined, place: string): DeviceChoice {
  const value = word === undefined || word === "" ? "auto" : word;
  if (value === "auto" || value === "gpu" || value === "software") return value;
  throw new ArgumentError(`${place}: not usable; expected one of auto, gpu, software, got ${excerpt(value)}`);
}
