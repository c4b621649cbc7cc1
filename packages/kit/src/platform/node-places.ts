import { existsSync, statSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { expandHome as expand, SourceError } from "@kto/core";
import { fileDirectory } from "@kto/core/node";
import type { Dataset } from "@kto/datasets";
import { folderDirectory, loadDataset } from "@kto/datasets/node";
import { hub, resolveFourBit, snapshotDownload, type CacheOptions } from "@kto/hub/node";
import { adapterFiles, expectAdapter, orNoFolder, smallFiles, weightFiles, withRevision } from "../hub/repo-files.js";
import { looksLikeHubId } from "../place.js";
import { withoutSplits, type LoadDatasetOptions } from "../data/file-options.js";
import type { OpenPlace, PlaceKind, PlaceOptions } from "./types.js";

/** A path with `~` for the home folder. */
export function expandHome(path: string): string {
  return expand(path, homedir());
}

/** True for a name on the hub where nothing of that name lies on the disk, which would win. */
export function isHubId(given: string): boolean {
  return looksLikeHubId(given) && !existsSync(given);
}

/** True for a folder that is there; false for what can be no path (too long, with a zero in it) and for what may not be looked at, which who opens it says. */
export function isFolder(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch {
    return false;
  }
}

/** True if a data set has splits: it is a folder, or on the hub. */
export function hasSplits(place: string): boolean {
  return isFolder(expandHome(place)) || isHubId(place);
}

/** The folder given where there is one, else the snapshot in the cache of a repository of the hub, with what is needed. */
export async function openPlace(given: string, kind: PlaceKind, options: PlaceOptions = {}): Promise<OpenPlace> {
  if (!isHubId(given)) return { ...(await localFolder(expandHome(given), kind)), hub: undefined };
  const access = cacheOptions(options);
  return orNoFolder(given, async () => {
    const asked = withRevision(given, options.revision);
    const id = kind === "model" && options.prefer4bitCheckpoint ? await fourBit(asked, access, options.onNote) : asked;
    const source = hub(id, access);
    if (kind === "adapter") await expectAdapter(source);
    const weights = kind === "model" ? await weightFiles(source) : [];
    const include = kind === "adapter" ? adapterFiles : [...smallFiles, ...weights.map(literalPattern)];
    // What was looked at is what is fetched; without a look the snapshot finds the commit itself and remembers it for when there is no network.
    const revision = kind === "model" ? (await source.resolve()).commit : undefined;
    const { path, commit } = await snapshotDownload(id, { ...access, ...(revision && { revision }), include });
    return { directory: fileDirectory(path), hub: { id, commit } };
  });
}

/** Rows of a data file, of a folder with data files, or of a data set of the hub. */
export async function loadPlace(given: string, options: LoadDatasetOptions): Promise<Dataset> {
  const { split, config, maxRows, rowIndex, signal, onProgress, onNote } = options;
  const reading = { maxRows, rowIndex, signal, onProgress };
  const path = expandHome(given);
  if (isFolder(path)) return loadDataset(folderDirectory(path), { ...reading, onNote, split, config });
  if (!isHubId(given)) return loadDataset(path, withoutSplits(given, options));
  return orNoFolder(given, async () => {
    const source = hub(withRevision(given, options.revision), { ...cacheOptions(options), repoType: "dataset" });
    const dataset = await loadDataset(source, { ...reading, onNote, split, config });
    options.onCommit?.((await source.resolve()).commit);
    return dataset;
  });
}

function cacheOptions({ hub: access = {}, signal }: Pick<PlaceOptions, "hub" | "signal">): CacheOptions {
  return { ...access, signal };
}

async function fourBit(id: string, access: CacheOptions, onNote: PlaceOptions["onNote"]): Promise<string> {
  const found = await resolveFourBit(id, access);
  onNote?.(
    found.mapped
      ? `model: ${found.id} (four-bit checkpoint of ${id})`
      : `note: the hub has no four-bit checkpoint of ${id}; taking ${id} itself`,
  );
  return found.id;
}

/** A pattern that matches just this name. */
function literalPattern(name: string): string {
  return name.replace(/[*?[]/g, "[$&]");
}

/** A folder on the disk with the names in it. Throws SourceError for what is none. */
async function localFolder(path: string, kind: PlaceKind): Promise<Pick<OpenPlace, "directory" | "names">> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return { directory: fileDirectory(path), names: (await readdir(path)).sort() };
  const what = kind === "adapter" ? "an adapter" : "a model";
  const isGguf = /\.gguf$/i.test(path);
  const problem = found ? (isGguf ? "is a GGUF file" : "is no folder") : "does not exist";
  const advice = isGguf
    ? "GGUF is for inference: give the model that it was made from"
    : found
      ? `give the folder that holds ${what}'s files`
      : "check the path";
  throw new SourceError(
    `${kind === "adapter" ? "adapter" : "model"}: ${path} ${problem}; expected the folder of ${what} or its name on the hub (owner/name), got ${found ? "a file" : "no such path"}; ${advice}`,
    { source: path, reason: found ? "ENOTDIR" : "ENOENT" },
  );
}
