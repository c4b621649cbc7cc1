import type { LoraConfig } from "./config.js";
import { pythonRegex } from "./python-regex.js";

/** A test of module paths. */
export type PathMatcher = (path: string) => boolean;

/**
 * peft's rule for `targetModules` and `excludeModules`.
 *
 *   a string: a Python regular expression that matches the whole path
 *   a list:   the path equals an entry, or ends with "." and the entry
 */
export function pathMatcher(modules: string | readonly string[], field: string): PathMatcher {
  if (typeof modules === "string") {
    const expression = pythonRegex(modules, "full", field);
    return (path) => expression.test(path);
  }
  return (path) => modules.some((entry) => isSuffix(path, entry));
}

/** True when `path` is `suffix` or ends with it at a dot. */
export function isSuffix(path: string, suffix: string): boolean {
  return path === suffix || path.endsWith(`.${suffix}`);
}

/** `layersToTransform`, `layersPattern`: the layer number in the path must be listed. A path without one is out; one that is a target by its whole name is in. */
export function layerMatcher({ targetModules, layersToTransform, layersPattern }: LoraConfig): PathMatcher {
  if (layersToTransform === null) return () => true;
  const whole = new Set(typeof targetModules === "string" ? [] : targetModules);
  const layers = new Set([layersToTransform].flat());
  const lists = layersPattern === null ? null : [layersPattern].flat();
  return (path) => {
    const layer = layerNumber(path, lists);
    return whole.has(path) || (layer !== undefined && layers.has(layer));
  };
}

/**
 * The first number between dots after a first pair of names (`model.layers.7.mlp` → 7), or the first that follows one of some named lists, which are
 * looked for one after another.
 */
export function layerNumber(path: string, lists: readonly string[] | null): number | undefined {
  const parts = path.split(".");
  const numberAfter = (isList: (before: string) => boolean, first: number): number | undefined => {
    for (let index = first; index < parts.length - 1; index++) {
      if (/^\d+$/.test(parts[index]!) && isList(parts.slice(0, index).join("."))) return Number(parts[index]);
    }
    return undefined;
  };
  if (lists === null) return numberAfter(() => true, 2);
  for (const list of lists) {
    const found = numberAfter((before) => isSuffix(before, list), 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * `rankPattern`, `alphaPattern`: the value of the first key that matches a path, or the default.
 *
 * A key matches as the Python expression `(.*\.)?(key)$` does from the start of the path.
 */
export function patternValue(patterns: Readonly<Record<string, number>>, field: string): (path: string, otherwise: number) => number {
  const entries = Object.entries(patterns).map(([key, value]) => [patternMatcher(key, field), value] as const);
  return (path, otherwise) => entries.find(([matches]) => matches(path))?.[1] ?? otherwise;
}

/** A test of module paths by a key of `rankPattern` or `alphaPattern`. */
export function patternMatcher(key: string, field: string): PathMatcher {
  const expression = pythonRegex(key, "pattern", field);
  return (path) => expression.test(path);
}
