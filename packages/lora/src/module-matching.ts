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

/** `layersToTransform`, `layersPattern`: the layer number in the path must be listed. A path without one is out. */
export function layerMatcher({ layersToTransform, layersPattern }: LoraConfig): PathMatcher {
  if (layersToTransform === null) return () => true;
  const layers = new Set([layersToTransform].flat());
  const lists = layersPattern === null ? null : [layersPattern].flat();
  return (path) => {
    const layer = layerNumber(path, lists);
    return layer !== undefined && layers.has(layer);
  };
}

/** The first number between dots after a first pair of names (`model.layers.7.mlp` → 7), or the one that follows a named list. */
function layerNumber(path: string, lists: readonly string[] | null): number | undefined {
  const parts = path.split(".");
  for (let index = 2; index < parts.length - 1; index++) {
    if (!/^\d+$/.test(parts[index]!)) continue;
    const before = parts.slice(0, index).join(".");
    if (lists === null || lists.some((list) => before.endsWith(`.${list}`))) return Number(parts[index]);
  }
  return undefined;
}

/**
 * `rankPattern`, `alphaPattern`: the value of the first key that matches a path, or the default.
 *
 * A key matches as the Python expression `(.*\.)?(key)$` does from the start of the path.
 */
export function patternValue(patterns: Readonly<Record<string, number>>, field: string): (path: string, otherwise: number) => number {
  const entries = Object.entries(patterns).map(([key, value]) => [pythonRegex(key, "pattern", field), value] as const);
  return (path, otherwise) => entries.find(([expression]) => expression.test(path))?.[1] ?? otherwise;
}
