import { ArgumentError, excerpt } from "@kto/core";
import type { ReadOptions, ReadProgress, RowIndexStore } from "@kto/datasets";
import type { HubPlaceOptions } from "../platform/types.js";

/** Which rows are read, and how. */
export interface LoadDatasetOptions {
  /** A split of a folder or of a data set of the hub; needed where there are several. */
  split?: string | undefined;
  /** A configuration of a data set of the hub. */
  config?: string | undefined;
  /** The first so many rows. */
  maxRows?: number | undefined;
  /** Where the index of a large JSON file is kept, so that the next start need not go through its rows to find them: `rowIndexFolder`. In Node only. */
  rowIndex?: RowIndexStore | undefined;
  /** Branch, tag or commit of a data set of the hub; its name may hold one instead, after `@`. */
  revision?: string | undefined;
  hub?: HubPlaceOptions | undefined;
  signal?: AbortSignal | undefined;
  onProgress?(progress: ReadProgress): void;
  /** Is told what of a folder or data set of the hub is left out: files of another format, patterns of README.md that match nothing. */
  onNote?(note: string): void;
  /** Is told which commit of a data set of the hub was read. */
  onCommit?(commit: string): void;
}

/** What a single file is read with. Throws ArgumentError for a split or configuration, which it does not have. */
export function withoutSplits(
  name: string,
  { split, config, maxRows, rowIndex, signal, onProgress }: LoadDatasetOptions,
): Omit<ReadOptions, "name"> {
  const asked = split === undefined ? config : split;
  if (asked === undefined) return { maxRows, rowIndex, signal, onProgress };
  throw new ArgumentError(
    `loadDataset: ${name} is a single file, which has no ${split === undefined ? "configurations" : "splits"}; expected none asked for, got ${excerpt(asked)}; leave it out, or name a folder or a data set of the hub`,
  );
}
