import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { SourceError } from "@kto/core";
import { isLeftOver } from "./token-folder.js";

/** A file of the cache of tokens. */
export interface TokenCacheEntry {
  path: string;
  /** Tokenised rows, where the rows of a large file begin, what a reference says of rows, or what a process that was killed left behind. */
  kind: "tokens" | "rows" | "reference" | "unfinished";
  byteLength: number;
  /** When it was written, in milliseconds since 1970. */
  writtenMs: number;
}

/** What lies in the folder of a cache, the largest first; what is not the cache's and what a process is writing are not listed. Throws SourceError. */
export async function listTokenCache(folder: string): Promise<TokenCacheEntry[]> {
  const entries: TokenCacheEntry[] = [];
  for (const name of await namesIn(folder)) {
    const kind = isLeftOver(name)
      ? "unfinished"
      : (/^[0-9a-f]{64}\.(tokens|rows|reference)$/.exec(name)?.[1] as "tokens" | "rows" | "reference" | undefined);
    if (kind === undefined) continue;
    const path = join(folder, name);
    const stats = await lstat(path).catch(() => undefined); // another process may have removed it by now
    if (stats?.isFile()) entries.push({ path, kind, byteLength: stats.size, writtenMs: stats.mtimeMs });
  }
  return entries.sort((a, b) => b.byteLength - a.byteLength || (a.path < b.path ? -1 : 1));
}

/** Removes what {@link listTokenCache} lists, and says what that was. Runs that read an entry have it open, and go on. Throws SourceError. */
export async function clearTokenCache(folder: string): Promise<TokenCacheEntry[]> {
  const entries = await listTokenCache(folder);
  for (const { path } of entries)
    await rm(path, { force: true }).catch((cause: unknown) => {
      throw refused(path, "cannot be removed", cause);
    });
  return entries;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw refused(folder, "cannot be read as a folder", cause);
  }
}

function refused(path: string, problem: string, cause: unknown): SourceError {
  const code = String((cause as NodeJS.ErrnoException).code);
  return new SourceError(`cache: ${path} ${problem}; expected a folder of one's own, got ${code}; check the path and its permissions`, {
    source: path,
    cause,
  });
}
