import { excerpt, nearestName } from "@kto/core";
import type { LoraConfig } from "./config.js";
import { LoraTargetError } from "./errors.js";
import { isSuffix, layerNumber, pathMatcher, patternMatcher } from "./module-matching.js";

/** What a config asks for and the model has nothing for, by field. */
export type Unmatched = Partial<Record<UnmatchedField, readonly string[]>>;

type UnmatchedField = "targetModules" | "excludeModules" | "layersToTransform" | "layersPattern" | "rankPattern" | "alphaPattern";

/** Entries spelled out in a message; the error's field holds them all. */
const entriesInMessage = 5;

/**
 * The entries of a config that match nothing. peft passes over them in silence, or with a warning.
 *
 * @param paths    of all modules of the model
 * @param matched  of those that `targetModules` match, whatever was left out of them
 * @param chosen   of those that are adapted
 */
export function unmatchedEntries(
  { targetModules, excludeModules, layersToTransform, layersPattern, rankPattern, alphaPattern }: LoraConfig,
  { paths, matched, chosen }: { paths: readonly string[]; matched: readonly string[]; chosen: readonly string[] },
): Unmatched {
  const none = (entry: string, among: readonly string[]): boolean => !among.some((path) => isSuffix(path, entry));
  const lists = layersPattern === null ? null : [layersPattern].flat();
  const layers = new Set(matched.map((path) => layerNumber(path, lists)));
  const keys = (patterns: Readonly<Record<string, number>>, field: string): string[] =>
    Object.keys(patterns).filter((key) => !chosen.some(patternMatcher(key, field)));
  const found: Record<UnmatchedField, readonly string[]> = {
    targetModules: typeof targetModules === "string" ? [] : (targetModules ?? []).filter((entry) => none(entry, matched)),
    excludeModules:
      typeof excludeModules === "string"
        ? [excludeModules].filter((expression) => !paths.some(pathMatcher(expression, "excludeModules")))
        : (excludeModules ?? []).filter((entry) => none(entry, paths)),
    layersToTransform: [layersToTransform ?? []]
      .flat()
      .filter((layer) => !layers.has(layer))
      .map(String),
    layersPattern: (lists ?? []).filter((list) => !paths.some((path) => layerNumber(path, [list]) !== undefined)),
    rankPattern: keys(rankPattern, "rankPattern"),
    alphaPattern: keys(alphaPattern, "alphaPattern"),
  };
  return Object.fromEntries(Object.entries(found).filter(([, entries]) => entries.length > 0));
}

/** Throws LoraTargetError with all that a config of a new adapter asks for in vain, and the nearest name of each. */
export function refuseUnmatched(
  unmatched: Unmatched,
  { names, candidates }: { names: readonly string[]; candidates: readonly string[] },
): void {
  const fields = Object.entries(unmatched);
  if (fields.length === 0) return;
  const listed = fields.map(([field, entries]) => `{${field}} ${spelled(entries, names)}`).join(" and ");
  const all = fields.flatMap(([, entries]) => entries);
  throw new LoraTargetError(
    {
      operation: "resolveTargets",
      problem: `${all.length === 1 ? "an entry matches" : `${all.length} entries match`} nothing of the model: ${listed}`,
      ...(unmatched.targetModules && { expected: `targets among ${candidates.join(", ")}` }),
      advice: "correct the entries or take them out",
      fields: fields.map(([field]) => field),
    },
    { candidates, unmatched: all },
  );
}

function spelled(entries: readonly string[], names: readonly string[]): string {
  const some = entries.slice(0, entriesInMessage).map((entry) => {
    const nearest = nearestName(entry.slice(entry.lastIndexOf(".") + 1), names);
    return nearest === undefined ? excerpt(entry) : `${excerpt(entry)} (did you mean ${nearest}?)`;
  });
  const rest = entries.length - entriesInMessage;
  return `${some.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
