import { excerpt } from "@kto/core";
import { HubError } from "./errors.js";
import { checkFileName } from "./file-name.js";
import type { HubClient } from "./http/client.js";
import { requestJson } from "./http/request.js";
import { type RepoType, checkRevision } from "./repo-id.js";
import type { RepoFile } from "./source.js";

/** A repository at a revision. */
export interface RepoAt {
  repo: string;
  repoType: RepoType;
  revision: string;
}

/** More pages (of up to 1,000 files) than any repository has; a hub that gives more goes in circles. */
const MAX_PAGES = 10_000;

/** Address of a file's content. */
export function fileUrl({ endpoint }: Pick<HubClient, "endpoint">, { repo, repoType, revision }: RepoAt, fileName: string): string {
  const path = checkFileName(fileName, repo).split("/").map(encodeURIComponent).join("/");
  return `${endpoint}/${repoType === "dataset" ? "datasets/" : ""}${repo}/resolve/${revisionPart(revision, repo)}/${path}`;
}

/** The commit that a revision stands for now. Throws HubError when the hub has no such repository or revision, or cannot be reached. */
export async function fetchCommit(client: HubClient, at: RepoAt): Promise<string> {
  const { json } = await requestJson(client, `${apiUrl(client, at)}/revision/${revisionPart(at.revision, at.repo)}`, at);
  const sha = (json as { sha?: unknown } | null)?.sha;
  if (typeof sha === "string" && isCommit(sha)) return sha;
  throw new HubError(`hub: ${client.endpoint} gives no commit of ${at.repo}; expected 40 hexadecimal digits, got ${excerpt(sha)}`, {
    reason: "refused",
    repo: at.repo,
  });
}

/** Every file of a repository, however many pages the hub lists it in. Throws as {@link fetchCommit}. */
export async function fetchTree(client: HubClient, at: RepoAt): Promise<RepoFile[]> {
  const files: RepoFile[] = [];
  let url: string | undefined = `${apiUrl(client, at)}/tree/${revisionPart(at.revision, at.repo)}?recursive=true`;
  for (let page = 0; url !== undefined; page++) {
    if (page >= MAX_PAGES) throw badTree(client, at, `at most ${MAX_PAGES} pages`, "more");
    const { json, headers }: { json: unknown; headers: Headers } = await requestJson(client, url, at);
    if (!Array.isArray(json)) throw badTree(client, at, "an array", typeof json);
    for (const entry of json as unknown[]) {
      const file = readEntry(entry, at.repo);
      if (file) files.push(file);
    }
    url = nextPage(headers.get("link"), url);
    if (url !== undefined && new URL(url).origin !== client.origin) throw badTree(client, at, `pages from ${client.origin}`, url);
  }
  return files;
}

/** True for a full commit id, which names the same content for ever. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

const apiUrl = ({ endpoint }: HubClient, { repo, repoType }: RepoAt): string => `${endpoint}/api/${repoType}s/${repo}`;
const revisionPart = (revision: string, repo: string): string => encodeURIComponent(checkRevision(revision, repo));

/** Address in `Link: <…>; rel="next"`. */
function nextPage(link: string | null, base: string): string | undefined {
  const target = link === null ? undefined : /<([^>]*)>\s*;[^,]*\brel="?next\b/.exec(link)?.[1];
  return target === undefined ? undefined : new URL(target, base).href;
}

/** An entry of the tree as a file; undefined for a folder. Throws HubError for a path that leads out of the repository. */
function readEntry(entry: unknown, repo: string): RepoFile | undefined {
  const { type, path, size, oid, lfs } = (entry ?? {}) as {
    type?: unknown;
    path?: unknown;
    size?: unknown;
    oid?: unknown;
    lfs?: { oid?: unknown; size?: unknown } | null;
  };
  if (type !== "file" || typeof path !== "string") return undefined;
  const bytes = lfs?.size ?? size;
  return {
    path: checkFileName(path, repo),
    size: typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : 0,
    ...(typeof lfs?.oid === "string" ? { lfs: { sha256: lfs.oid } } : {}),
    ...(typeof oid === "string" ? { blobId: oid } : {}),
  };
}

function badTree({ endpoint }: HubClient, { repo }: RepoAt, expected: string, got: string): HubError {
  return new HubError(`hub: ${endpoint} gives no list of the files of ${repo}; expected ${expected}, got ${got}; check HF_ENDPOINT`, {
    reason: "refused",
    repo,
  });
}
