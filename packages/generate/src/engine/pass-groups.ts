import type { CausalLM } from "@kto/tensor";
import type { FrequenciesAt } from "../cache/kept-rows.js";
import type { RowStep } from "./forward.js";
import type { Row } from "./row.js";

/** The adapters that act on a row, as a key. */
export function adaptersOf({ request }: Row): string {
  return JSON.stringify(request.adapters ?? null);
}

/** Rows by the adapters that act on them: each group in passes of its own. */
export function byAdapters(rows: readonly Row[]): Map<string, Row[]> {
  return grouped(rows, adaptersOf);
}

/**
 * How a model whose rotary frequencies depend on the length of a row rotates tokens, as transformers does with a cache: those of a prompt by the whole of it,
 * whatever else is computed with it, and each that was drawn by the row as it was then. Undefined where every length is rotated alike.
 */
export function frequenciesAtOf(model: CausalLM): FrequenciesAt | undefined {
  if (!model.frequenciesName) return undefined;
  return (promptLength, position) => model.frequenciesName!(Math.max(promptLength, position + 1));
}

/** How many of a row's next tokens, `most` at most, are rotated as the first of them is. */
export function tokensAlike(row: Row, most: number, frequenciesAt: FrequenciesAt | undefined): number {
  if (!frequenciesAt) return most;
  const name = (index: number): number => frequenciesAt(row.request.promptIds.length, row.cached.length + index);
  let alike = Math.min(most, 1);
  while (alike < most && name(alike) === name(0)) alike += 1;
  return alike;
}

/** Steps by the way in which their tokens are rotated: each group in a pass of its own. */
export function byFrequencies(steps: readonly RowStep[], frequenciesAt: FrequenciesAt | undefined): RowStep[][] {
  const name = ({ row }: RowStep): number => frequenciesAt?.(row.request.promptIds.length, row.cached.length) ?? 0;
  return [...grouped(steps, name).values()];
}

function grouped<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
