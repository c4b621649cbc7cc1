import { commonPrefixLength } from "@kto/core";
import type { CachedRow, KeyValueCache } from "./key-value-cache.js";

/** What the cache still holds of a row that ended. */
export interface KeptRow {
  ids: readonly number[];
  /** The adapters that acted on it, as a key. */
  adapters: string;
  cached: CachedRow;
  /** Tokens of its prompt. */
  promptLength: number;
}

/** The beginning of a row that a kept one has too. */
export interface SharedBeginning {
  kept: KeptRow;
  length: number;
}

/** A row that is about to be computed. */
export interface NewRow {
  ids: readonly number[];
  adapters: string;
  promptLength: number;
}

/** Names how the token at a position is rotated, in a row whose prompt has so many tokens: where names are the same, so are keys. */
export type FrequenciesAt = (promptLength: number, position: number) => number;

/** Rows that ended and are still in the cache: what begins with one of them need not be computed again. The one that ended first is forgotten first. */
export class KeptRows {
  readonly #cache: KeyValueCache;
  readonly #frequenciesAt: FrequenciesAt | undefined;
  /** The one that ended last comes last. */
  readonly #rows: KeptRow[] = [];

  /** @param frequenciesAt  undefined where a token is rotated alike whatever the row's length */
  constructor(cache: KeyValueCache, frequenciesAt: FrequenciesAt | undefined) {
    this.#cache = cache;
    this.#frequenciesAt = frequenciesAt;
  }

  add(row: KeptRow): void {
    this.#rows.push(row);
  }

  /** What is kept of the longest beginning of a row, but for its last token, whose logits are needed. */
  sharedBy(row: NewRow): SharedBeginning | undefined {
    let longest: SharedBeginning | undefined;
    for (const kept of this.#rows) {
      if (kept.adapters !== row.adapters) continue;
      const length = this.#rotatedAlike(kept, row, Math.min(commonPrefixLength(kept.ids, row.ids), row.ids.length - 1));
      if (length > (longest?.length ?? 0)) longest = { kept, length };
    }
    return longest;
  }

  /** The tokens of a beginning in the cache; no longer kept here. */
  take({ kept, length }: SharedBeginning): CachedRow {
    this.#rows.splice(this.#rows.indexOf(kept), 1);
    this.#cache.truncate(kept.cached, length);
    return kept.cached;
  }

  /** Gives back the pages of the row that ended first, `spared` left out; false when there is none. */
  forgetFirst(spared?: KeptRow): boolean {
    const at = this.#rows.findIndex((kept) => kept !== spared);
    if (at === -1) return false;
    const [forgotten] = this.#rows.splice(at, 1);
    this.#cache.truncate(forgotten!.cached, 0);
    return true;
  }

  #rotatedAlike(kept: KeptRow, row: NewRow, length: number): number {
    const name = this.#frequenciesAt;
    if (!name) return length;
    let alike = 0;
    while (alike < length && name(kept.promptLength, alike) === name(row.promptLength, alike)) alike += 1;
    return alike;
  }
}
