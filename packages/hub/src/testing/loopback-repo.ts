import { createHash } from "node:crypto";

/** What a file of a repository holds: bytes, or text in UTF-8. */
export type FileContent = Uint8Array | string;

/** How a repository behaves. */
export interface LoopbackRepoOptions {
  /** Which files are in large-file storage, at another address; default `.safetensors`, `.parquet`, `.bin` and `.gguf`. */
  lfs?: (path: string) => boolean;
  /** `true`: only the hub's token reads its files; `"denied"`: that token does not either (403). What the repository holds is told to everyone. */
  gated?: boolean | "denied";
  /** Only the hub's token sees that it is there. */
  private?: boolean;
  /** Lists files without size, digest and blob id. */
  bareTree?: boolean;
  /** Branch or tag that moves to the new commit; default `"main"`. */
  revision?: string;
}

/** A file as the hub keeps it. */
export interface StoredFile {
  path: string;
  bytes: Uint8Array;
  /** sha256 in large-file storage, otherwise git's blob id: the name of the blob in a cache. */
  etag: string;
  lfs: boolean;
}

/** A repository, with all commits that were ever made. */
export interface StoredRepo {
  options: LoopbackRepoOptions;
  commits: Map<string, Map<string, StoredFile>>;
  /** Branches and tags. */
  refs: Map<string, string>;
}

const LFS = /\.(?:safetensors|parquet|bin|gguf)$/;

/** Adds a commit with exactly these files, and gives its id, which depends on nothing else. */
export function addCommit(repo: StoredRepo, files: Readonly<Record<string, FileContent>>): string {
  const { lfs = (path) => LFS.test(path), revision = "main" } = repo.options;
  const stored = Object.entries(files).map(([path, content]) => storeFile(path, content, lfs(path)));
  const commit = createHash("sha1").update(JSON.stringify(stored.map(({ path, etag }) => [path, etag]))).digest("hex"); // prettier-ignore
  repo.commits.set(commit, new Map(stored.map((file) => [file.path, file])));
  repo.refs.set(revision, commit);
  return commit;
}

/** Entries of `/tree?recursive=true`: folders too. */
export function treeEntries(files: ReadonlyMap<string, StoredFile>, { bareTree = false }: LoopbackRepoOptions): unknown[] {
  const folders = new Set([...files.keys()].flatMap((path) => path.split("/").slice(0, -1).map((_, depth) => path.split("/", depth + 1).join("/")))); // prettier-ignore
  return [
    ...[...folders].map((path) => ({ type: "directory", path, oid: gitId(new TextEncoder().encode(path)), size: 0 })),
    ...Array.from(files.values(), ({ path, bytes, etag, lfs }) => ({
      type: "file",
      path,
      ...(bareTree ? {} : { size: bytes.byteLength, oid: lfs ? gitId(new TextEncoder().encode(etag)) : etag }),
      ...(lfs && !bareTree ? { lfs: { oid: etag, size: bytes.byteLength, pointerSize: 134 } } : {}),
    })),
  ];
}

function storeFile(path: string, content: FileContent, lfs: boolean): StoredFile {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return { path, bytes, lfs, etag: lfs ? createHash("sha256").update(bytes).digest("hex") : gitId(bytes) };
}

const gitId = (bytes: Uint8Array): string => createHash("sha1").update(`blob ${bytes.byteLength}\0`).update(bytes).digest("hex");
