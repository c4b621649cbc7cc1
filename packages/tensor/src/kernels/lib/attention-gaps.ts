import { wgsl } from "../wgsl.js";

/**
 * Whether queries have a gap: keys between their first and their own that they do not see, because those belong to another row that goes on from the same
 * tokens. Token t then has spans[t]: the first key that it sees, where its gap begins, where that ends, and one past the last query that sees it; `starts` and
 * `ends` are not bound.
 */
export interface KeyGaps {
  hasGaps: boolean;
}

/** The first key that a query sees. */
export function startOf({ hasGaps }: KeyGaps, query: string): string {
  return hasGaps ? `spans[${query}].x` : `starts[${query}]`;
}

/** One past the last query that sees a key. */
export function endOf({ hasGaps }: KeyGaps, key: string): string {
  return hasGaps ? `spans[${key}].w` : `ends[${key}]`;
}

/** The binding of `starts`, `ends` and `spans` that a kernel has no use for. */
export function unusedBounds({ hasGaps }: KeyGaps): "starts" | "spans" {
  return hasGaps ? "starts" : "spans";
}

/** `gap`, the keys that the query `token` does not see. */
export function gapOfQuery({ hasGaps }: KeyGaps): string {
  return hasGaps ? "let gap = spans[token].yz;" : "";
}

/** What follows a condition on four keys, or on one: that they lie outside of `gap`. */
export function outsideGap({ hasGaps }: KeyGaps, keys: string, width: "four" | "one", gap = "gap"): string {
  if (!hasGaps) return "";
  return width === "four"
    ? ` & ((${keys} < vec4<u32>(${gap}.x)) | (${keys} >= vec4<u32>(${gap}.y)))`
    : ` && (${keys} < ${gap}.x || ${keys} >= ${gap}.y)`;
}

/** At the beginning of a loop over `key`: goes past the keys in `gap`. */
export function pastGap({ hasGaps }: KeyGaps): string {
  return hasGaps ? "if (key >= gap.x && key < gap.y) { key = gap.y; }" : "";
}

/** Declares what `groupGap` needs, and `nextTile`. */
export function groupGapVariables({ hasGaps }: KeyGaps): string {
  if (!hasGaps) return "";
  return wgsl`
    var<workgroup> gapStart: atomic<u32>;
    var<workgroup> gapReach: atomic<u32>;

    // The tile after this one, past those whose keys no query of the workgroup sees.
    fn nextTile(tile: u32, gap: vec2<u32>) -> u32 {
      let next = tile + TILE;
      let isUnseen = next >= gap.x && next + TILE <= gap.y;
      return next + select(0u, (gap.y - next) / TILE * TILE, isUnseen);
    }`;
}

/** `groupGap`, the keys that lie in the gaps of all queries of the workgroup. Needs `start` and `gap`; once a kernel. */
export function groupGap({ hasGaps }: KeyGaps, last: "last" | "token", numKeys: "numKeys" | "numTokens"): string {
  if (!hasGaps) return "";
  return wgsl`
    if (start <= ${last}) {
      atomicMax(&gapStart, gap.x);
      atomicMax(&gapReach, params.${numKeys} - min(gap.y, params.${numKeys}));
    }
    let groupGap = vec2<u32>(workgroupUniformLoad(&gapStart), params.${numKeys} - workgroupUniformLoad(&gapReach));`;
}

/** How a loop over tiles of keys goes on. */
export function followingTile({ hasGaps }: KeyGaps): string {
  return hasGaps ? "nextTile(tile, groupGap)" : "tile + TILE";
}
