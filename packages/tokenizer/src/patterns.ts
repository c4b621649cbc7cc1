/**
 * Rust's engine folds case by Unicode, so that in `(?i:'s|…)` the long s `ſ` (U+017F) counts as s; the JavaScript library folds
 * ASCII only. Returns a copy of a pre-tokenizer in which such groups name that letter.
 */
export function withUnicodeCaseFolding(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withUnicodeCaseFolding);
  if (typeof node !== "object" || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      key === "Regex" && typeof value === "string" ? foldGroups(value) : withUnicodeCaseFolding(value),
    ]),
  );
}

function foldGroups(pattern: string): string {
  return pattern.replace(/\(\?i:[^()[\]\\]*\)/g, (group) => group.slice(0, 4) + group.slice(4).replace(/s/gi, "[sſ]"));
}
