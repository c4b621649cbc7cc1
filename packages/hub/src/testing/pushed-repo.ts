import { createHash } from "node:crypto";

/** A commit, with every file that the branch has then. */
export interface PushedCommit {
  id: string;
  summary: string;
  files: ReadonlyMap<string, Uint8Array>;
  /** What this commit brought. */
  paths: readonly string[];
  lfsPaths: readonly string[];
}

/** A repository that was pushed to. */
export interface PushedRepo {
  private: boolean;
  /** Commits by branch, oldest first; the first of each is empty. */
  branches: Map<string, PushedCommit[]>;
  pullRequests: PushedCommit[];
}

/** A repository as the hub makes it. */
export function newRepo(isPrivate: boolean): PushedRepo {
  const first = { id: "0".repeat(40), summary: "initial commit", files: new Map(), paths: [], lfsPaths: [] };
  return { private: isPrivate, branches: new Map([["main", [first]]]), pullRequests: [] };
}

const isLarge = ({ path, size }: { path: string; size: number }): boolean => path.endsWith(".safetensors") || size > 1000;

/** How files are to be uploaded, and the ids of those that the branch has. */
export function preuploaded(head: PushedCommit, { files }: { files: { path: string; size: number }[] }): unknown[] {
  return files.map((file) => {
    const uploadMode = isLarge(file) ? "lfs" : "regular";
    const bytes = head.files.get(file.path);
    const inLfs = bytes && isLarge({ path: file.path, size: bytes.byteLength });
    const oid = bytes && (inLfs ? hash("sha256", bytes) : hash("sha1", Buffer.concat([Buffer.from(`blob ${bytes.byteLength}\0`), bytes])));
    return { path: file.path, uploadMode, shouldIgnore: false, ...(oid !== undefined && { oid }) };
  });
}

/** Where a commit goes. */
interface Goal {
  repo: PushedRepo;
  id: string;
  revision: string;
  endpoint: string;
  objects: ReadonlyMap<string, Uint8Array>;
  isPullRequest: boolean;
}

/** Makes a commit of the lines of a request. */
export function addPushed({ repo, id, revision, endpoint, objects, isPullRequest }: Goal, body: string): [number, unknown] {
  const commits = repo.branches.get(revision)!;
  const lines = body.split("\n").map((line) => JSON.parse(line) as { key: string; value: Record<string, string> });
  const files = new Map(commits.at(-1)!.files);
  const paths: string[] = [];
  const lfsPaths: string[] = [];
  for (const { key, value } of lines.slice(1)) {
    const path = value["path"]!;
    const bytes = key === "file" ? new Uint8Array(Buffer.from(value["content"]!, "base64")) : objects.get(value["oid"]!);
    if (!bytes) return [422, { error: `no object ${value["oid"]}` }];
    files.set(path, bytes);
    paths.push(path);
    if (key === "lfsFile") lfsPaths.push(path);
  }
  const commitOid = hash("sha1", Buffer.from(`${commits.length} ${body}`));
  (isPullRequest ? repo.pullRequests : commits).push({ id: commitOid, summary: lines[0]!.value["summary"]!, files, paths, lfsPaths });
  const pullRequest = isPullRequest ? { pullRequestUrl: `${endpoint}/${id}/discussions/${repo.pullRequests.length}` } : {};
  return [200, { commitOid, commitUrl: `${endpoint}/${id}/commit/${commitOid}`, ...pullRequest }];
}

const hash = (kind: string, bytes: Uint8Array): string => createHash(kind).update(bytes).digest("hex");
