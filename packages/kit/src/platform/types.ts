import type { ByteDirectory } from "@kto/core";
import type { FileProgress } from "@kto/hub/node";

/** A place as a directory of files. */
export interface OpenPlace {
  directory: ByteDirectory;
  /** What lies in it by name, folders inside too but not what is in them; undefined where that is not known. */
  names?: readonly string[] | undefined;
  hub: { id: string; commit: string } | undefined;
}

/** What is asked of a place before its files are there. */
export type PlaceKind = "model" | "tokenizer" | "adapter";

/** How places are found and fetched. */
export interface PlaceOptions {
  /** Branch, tag or commit of a repository of the hub; its name may hold one instead, after `@`. */
  revision?: string | undefined;
  /** Take the four-bit checkpoint that the hub has of a model, where there is one. Node only. */
  prefer4bitCheckpoint?: boolean | undefined;
  /** Address, token and cache of the hub; what is not given comes from the environment (Node) or is the public hub without a token. */
  hub?: HubPlaceOptions | undefined;
  signal?: AbortSignal | undefined;
  /** Is told what was taken in place of what was asked for. */
  onNote?(note: string): void;
}

/** How the hub is reached. */
export interface HubPlaceOptions {
  endpoint?: string | undefined;
  /** `false` sends none. */
  token?: string | false | undefined;
  /** Folder of the cache. Node only. */
  cacheDir?: string | undefined;
  /** Use only what is in the cache. Node only. */
  offline?: boolean | undefined;
  fetch?: typeof fetch | undefined;
  /** How far downloads have come. Node only. */
  onProgress?(progress: FileProgress): void;
}
