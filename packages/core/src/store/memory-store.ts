import { bytesSource } from "../bytes/byte-source.js";
import type { Store, StoreEntry } from "../store.js";
import { byName, bytesOf, isHalfWritten, pathParts, type StoreContent, writeContent } from "./content.js";

/** A store in memory, for tests and for what a page hands on as a download. A folder is there while files are in it. */
export function memoryStore(name: string = "memory"): Store {
  return view(new Map(), "", name);
}

/** The files whose paths begin with `prefix` as a store. */
function view(files: Map<string, Uint8Array>, prefix: string, name: string): Store {
  const pathOf = (operation: string, path: string): string => prefix + pathParts(operation, path).join("/");
  const below = (folder: string): string[] => [...files.keys()].filter((path) => path.startsWith(`${folder}/`));
  const removeAll = (path: string): void => [path, ...below(path)].forEach((file) => files.delete(file));
  return {
    name,
    async open(path) {
      const bytes = files.get(pathOf("open", path));
      return bytes && bytesSource(bytes, `${name}/${path}`);
    },
    async write(path, content) {
      const key = pathOf("write", path);
      files.set(key, await collect(content));
    },
    async append(path, content) {
      const key = pathOf("append", path);
      files.set(key, joined([files.get(key) ?? new Uint8Array(0), bytesOf(content)]));
    },
    async writeFolder(path, fill) {
      const target = pathOf("writeFolder", path);
      const made = new Map<string, Uint8Array>();
      await fill(view(made, "", `${name}/${path}`));
      removeAll(target);
      for (const [file, bytes] of made) files.set(`${target}/${file}`, bytes);
    },
    async list(path) {
      const folder = path === undefined ? prefix : `${pathOf("list", path)}/`;
      const entries = new Map<string, StoreEntry>();
      for (const file of files.keys()) {
        if (!file.startsWith(folder)) continue;
        const [entry, ...rest] = file.slice(folder.length).split("/");
        if (!isHalfWritten(entry!)) entries.set(entry!, { name: entry!, kind: rest.length > 0 ? "folder" : "file" });
      }
      return [...entries.values()].sort(byName);
    },
    async remove(path) {
      removeAll(pathOf("remove", path));
    },
    folder: (path) => view(files, `${pathOf("folder", path)}/`, `${name}/${path}`),
  };
}

async function collect(content: StoreContent): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  await writeContent(content, { write: async (bytes) => void pieces.push(Uint8Array.from(bytes)) }); // slice() of a Buffer of Node shares memory
  return joined(pieces);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.byteLength;
  }
  return all;
}
