import { createHash } from "node:crypto";
import type { TrainConfig } from "../config/train-config.js";
import { fieldName } from "../errors.js";
import { libraryVersions, versions } from "../versions.js";

/** What mends ranks that were not started alike. */
export const startAdvice = "start all ranks with the same command, config and installation";

/** Longer values are told apart by their hash. */
const longestValue = 60;

/** What every rank must have been started with: versions, and the config field by field. */
export function startFacts({ values }: TrainConfig): Record<string, string> {
  const { hubToken: _secret, ...fields } = values;
  const ofVersions = Object.entries({ ...versions(), ...libraryVersions() }).map(([name, version]) => [`version of ${name}`, version]);
  const ofFields = Object.entries(fields).map(([name, value]) => {
    const text = JSON.stringify(value) ?? "none";
    return [fieldName(name), text.length > longestValue ? sha256(text) : text];
  });
  return Object.fromEntries([...ofVersions, ...ofFields]) as Record<string, string>;
}

function sha256(of: string): string {
  return createHash("sha256").update(of).digest("hex").slice(0, 16);
}
