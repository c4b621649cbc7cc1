import type { LinearShape, ModuleTree } from "@kto/tensor";
import type { LoraConfig } from "./config.js";
import { LoraTargetError } from "./errors.js";
import { isSuffix, layerMatcher, pathMatcher, patternValue } from "./module-matching.js";
import { excerpt, nearestName } from "@kto/core";
import { loraScale } from "./scaling.js";
import { sortedNames } from "./sorted-names.js";
import { modulesInFull } from "./saved-embeddings.js";
import { refuseUnmatched, unmatchedEntries } from "./unmatched.js";

/** One linear layer that gets an adapter, and with which numbers. */
export interface LoraTarget {
  /** Dotted path in the base model. */
  readonly path: string;
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** Rank, after `rankPattern`. */
  readonly r: number;
  /** loraAlpha / r or loraAlpha / √r, after the patterns. */
  readonly scale: number;
}

export interface ResolvedTargets {
  /** In the model's order; never empty. */
  readonly targets: readonly LoraTarget[];
  /** The config with `targetModules` as it goes to disk: "all-linear" and null become lists, and a list names what is adapted. */
  readonly config: LoraConfig;
}

/** Options of `resolveTargets`. */
export interface ResolveTargetsOptions {
  /**
   * The adapter is there already: entries that match nothing, which peft passes over, are passed over too, as its weights say what it is. Without it
   * whoever asks for a new adapter gets all that was asked for, or an error.
   */
  isSaved?: boolean | undefined;
}

/**
 * The linear layers of `model` that a config adapts, as peft chooses them.
 *
 * Throws LoraTargetError, listing the names there are, when nothing matches, when an entry of a list, a layer number or a key of a pattern matches nothing
 * (unless `isSaved`), or a match is no linear layer; LoraConfigError for an expression that is not read.
 *
 * @see docs/lora-config.md; peft 0.21, check_target_module_exists
 */
export function resolveTargets(model: ModuleTree, config: LoraConfig, { isSaved = false }: ResolveTargetsOptions = {}): ResolvedTargets {
  const modules = [...model.namedModules()];
  const linears = modules.filter((entry): entry is [string, LinearShape] => isLinearShape(entry[1]));
  const candidates = candidateNames(linears.map(([path]) => path));
  const resolved = { ...config, targetModules: explicitTargets(model, config, linears, candidates) };

  const isTarget = pathMatcher(resolved.targetModules, "targetModules");
  const inFull = new Set(config.modulesToSave === null ? [] : modulesInFull(model, config)); // never adapted
  const isExcluded = config.excludeModules === null ? () => false : pathMatcher(config.excludeModules, "excludeModules");
  const isInLayer = layerMatcher(resolved);
  const matched = modules.filter(([path]) => path !== "" && !inFull.has(path) && isTarget(path));
  const chosen = matched.filter(([path]) => !isExcluded(path) && isInLayer(path));
  if (chosen.length === 0) throw nothingChosen(resolved, matched.length, candidates);
  const others = chosen.filter(([, module]) => !isLinearShape(module)).map(([path]) => path);
  if (others.length > 0) throw notLinear(others, candidates);
  const pathsOf = (entries: readonly (readonly [string, unknown])[]): string[] => entries.map(([path]) => path);
  const unmatched = unmatchedEntries(resolved, { paths: pathsOf(modules), matched: pathsOf(matched), chosen: pathsOf(chosen) });
  if (!isSaved) refuseUnmatched(unmatched, { names: namesOf(pathsOf(modules)), candidates });

  const rankOf = patternValue(config.rankPattern, "rankPattern");
  const alphaOf = patternValue(config.alphaPattern, "alphaPattern");
  const targets = chosen.map(([path, module]): LoraTarget => {
    const { inFeatures, outFeatures } = module as LinearShape;
    const r = rankOf(path, config.r);
    const scale = loraScale({ r, loraAlpha: alphaOf(path, config.loraAlpha), useRslora: config.useRslora });
    return { path, inFeatures, outFeatures, r, scale };
  });
  const dropped = new Set(unmatched.targetModules);
  const { targetModules } = resolved;
  const list = typeof targetModules === "string" ? targetModules : targetModules.filter((entry) => !dropped.has(entry));
  return { targets, config: { ...resolved, targetModules: list } };
}

/** True for anything that says how many features go in and come out. */
export function isLinearShape(module: unknown): module is LinearShape {
  if (typeof module !== "object" || module === null) return false;
  const { inFeatures, outFeatures } = module as Partial<LinearShape>;
  return typeof inFeatures === "number" && typeof outFeatures === "number";
}

/** Trainable numbers of an adapter: Σ r · (in + out). */
export function countLoraParameters(targets: readonly LoraTarget[]): number {
  return targets.reduce((sum, { r, inFeatures, outFeatures }) => sum + r * (inFeatures + outFeatures), 0);
}

function explicitTargets(
  model: ModuleTree,
  { targetModules }: LoraConfig,
  linears: readonly (readonly [string, LinearShape])[],
  candidates: readonly string[],
): string | readonly string[] {
  if (targetModules === null) {
    if (model.defaultTargetModules !== undefined) return model.defaultTargetModules;
    throw new LoraTargetError(
      `resolveTargets: there are no default targets for the model type "${model.modelType}"; expected targetModules among ${candidates.join(", ")}, got null`,
      { candidates },
    );
  }
  if (typeof targetModules === "string" && targetModules.toLowerCase() === "all-linear")
    return allLinear(
      linears.map(([path]) => path),
      model.outputEmbedding,
    );
  return targetModules;
}

/** Last names of all linear layers but the output embedding; whole paths where a last name would take that in. */
function allLinear(paths: readonly string[], outputEmbedding: string | null): string[] {
  const names = paths
    .filter((path) => path !== outputEmbedding)
    .map((path) => {
      const name = lastName(path);
      return outputEmbedding !== null && isSuffix(outputEmbedding, name) ? path : name;
    });
  return sortedNames(names);
}

const lastName = (path: string): string => path.slice(path.lastIndexOf(".") + 1);
const candidateNames = (paths: readonly string[]): string[] => sortedNames(paths.map(lastName));
/** Last names of modules, numbers of layers left out. */
const namesOf = (paths: readonly string[]): string[] => candidateNames(paths).filter((name) => !/^\d*$/.test(name));

function notLinear(paths: readonly string[], candidates: readonly string[]): LoraTargetError {
  const some = paths.slice(0, 3).map((path) => `"${path}"`);
  const listed = `${some.join(", ")}${paths.length > 3 ? ` and ${paths.length - 3} more` : ""}`;
  return new LoraTargetError(
    {
      operation: "resolveTargets",
      problem: `${listed} ${paths.length === 1 ? "matches" : "match"} {targetModules} and ${paths.length === 1 ? "is no linear layer" : "are no linear layers"} that can carry an adapter`,
      expected: `among ${candidates.join(", ")}`,
      advice: "narrow {targetModules}",
      fields: ["targetModules"],
    },
    { candidates },
  );
}

function nothingChosen(config: LoraConfig, numMatched: number, candidates: readonly string[]): LoraTargetError {
  const { targetModules, excludeModules, layersToTransform } = config;
  const asked = excerpt(targetModules);
  const names = candidates.length === 0 ? "a model with linear layers, got none" : `among ${candidates.join(", ")}, got ${asked}`;
  if (numMatched === 0) {
    const nearest =
      typeof targetModules === "string" ? undefined : targetModules?.map((entry) => nearestName(entry, candidates)).find(Boolean);
    const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
    return new LoraTargetError(`resolveTargets: targetModules match no module; expected ${names}${hint}`, { candidates });
  }
  const without = [
    excludeModules === null ? [] : `excludeModules ${excerpt(excludeModules)}`,
    layersToTransform === null ? [] : `layersToTransform ${excerpt(layersToTransform)}`,
  ].flat();
  return new LoraTargetError(
    `resolveTargets: ${without.join(" and ")} left nothing of the ${numMatched} modules that targetModules match; expected at least one; got ${asked}`,
    { candidates },
  );
}
