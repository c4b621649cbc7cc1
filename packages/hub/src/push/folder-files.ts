import { readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { HubError } from "../errors.js";
import { filterFiles } from "../glob.js";

/** A file of a folder. */
export interface FolderFile {
  /** From the folder, with `/`. */
  path: string;
  /** Where it lies. */
  source: string;
  size: number;
}

/**
 * The files of a folder that are pushed, by path: links are followed, names that begin with a dot (`.git`, `.cache`, locks) are left out but for `.gitattributes`.
 *
 * @throws HubError when there is no such folder, or none of its files is left
 */
export async function folderFiles(folder: string, include?: readonly string[], exclude?: readonly string[]): Promise<FolderFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new HubError(
      `pushFolder: ${folder} cannot be listed; expected a folder with files, got ${(cause as NodeJS.ErrnoException).code}; check the path`,
      { reason: "fileName", file: folder, cause },
    );
  });
  const files: FolderFile[] = [];
  for (const entry of entries) {
    const source = join(entry.parentPath, entry.name);
    const path = relative(folder, source).split(sep).join("/");
    const isHidden = path.split("/").some((part) => part.startsWith(".") && part !== ".gitattributes");
    const stats = isHidden || entry.isDirectory() ? undefined : await stat(source);
    if (stats?.isFile()) files.push({ path, source, size: stats.size });
  }
  const chosen = filterFiles(files, include, exclude).sort((a, b) => (a.path < b.path ? -1 : 1));
  if (chosen.length > 0) return chosen;
  throw new HubError(
    `pushFolder: ${folder} has nothing to push; expected at least one file, got ${files.length} of which none is chosen; check the path, include and exclude`,
    { reason: "fileName", file: folder },
  );
}
