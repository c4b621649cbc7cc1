import type { ServerResponse } from "node:http";
import { type FileContent, type LoopbackRepoOptions, type StoredRepo, addCommit, treeEntries } from "./loopback-repo.js";
import { type Fault, type LoopbackRequest, type Served, listen, sendBytes, sendJson } from "./loopback-server.js";

export type { Fault, LoopbackRequest } from "./loopback-server.js";
export type { FileContent, LoopbackRepoOptions } from "./loopback-repo.js";

/** How a hub behaves. */
export interface LoopbackHubOptions {
  /** The token that reads private and gated repositories; default `"hf_test"`. */
  token?: string;
  /** Entries of a page of a tree listing; default 1,000. */
  pageSize?: number;
}

/** The half of a hub that is read from, on loopback, with its large-file storage at another address. Real HTTP. */
export interface LoopbackHub extends AsyncDisposable {
  /** Address, without a slash at its end. */
  readonly endpoint: string;
  /** Address of the large-file storage. */
  readonly storage: string;
  readonly token: string;
  /** Makes a model, or a new commit of it (earlier ones stay); gives the id of the commit. */
  addModel(id: string, files: Readonly<Record<string, FileContent>>, options?: LoopbackRepoOptions): string;
  /** The same for a data set. */
  addDataset(id: string, files: Readonly<Record<string, FileContent>>, options?: LoopbackRepoOptions): string;
  /** Every request, in order. */
  readonly requests: LoopbackRequest[];
  /** Requests as `"GET /api/models/owner/name/revision/main"`; those to the storage begin with `"storage "`. */
  requested(): string[];
  /** Bytes of files that left, those of cut transfers included. */
  bytesServed(): number;
  /** Authorization headers that reached the storage, which is another host. */
  readonly leaks: string[];
  /** What goes wrong with a request; replace it to make something go wrong. */
  fault: (request: LoopbackRequest) => Fault | undefined;
  /** Forgets requests and leaks. */
  reset(): void;
}

/** Starts a hub without repositories. */
export async function startLoopbackHub({ token = "hf_test", pageSize = 1000 }: LoopbackHubOptions = {}): Promise<LoopbackHub> {
  const repos = new Map<string, StoredRepo>();
  const requests: LoopbackRequest[] = [];
  const leaks: string[] = [];
  const add = (key: string, files: Readonly<Record<string, FileContent>>, options: LoopbackRepoOptions = {}): string => {
    const repo = repos.get(key) ?? { options, commits: new Map(), refs: new Map() };
    repo.options = options;
    repos.set(key, repo);
    return addCommit(repo, files);
  };
  const served = (request: LoopbackRequest): Fault => {
    requests.push(request);
    return hub.fault(request) ?? {};
  };
  const storage = await listen("storage", served, async (asked, response) => {
    if (asked.request.authorization !== undefined) leaks.push(asked.request.authorization);
    const etag = asked.url.pathname.slice(1);
    const files = [...repos.values()].flatMap(({ commits }) => [...commits.values()].flatMap((commit) => [...commit.values()]));
    const file = files.find((candidate) => candidate.lfs && candidate.etag === etag);
    if (!file) return sendJson(asked, response, 404, { error: "no such object" });
    await sendBytes(asked, response, file.bytes, { etag: `"${etag.slice(0, 32)}-2"` }); // a storage has etags of its own
  });
  const server = await listen("hub", served, async (asked, response) => {
    await answer({ asked, response, repos, token, pageSize, storage: storage.address });
  });
  const hub: LoopbackHub = {
    endpoint: server.address,
    storage: storage.address,
    token,
    requests,
    leaks,
    addModel: (id, files, options) => add(`models/${id}`, files, options),
    addDataset: (id, files, options) => add(`datasets/${id}`, files, options),
    requested: () => requests.map(({ host, method, path }) => `${host === "storage" ? "storage " : ""}${method} ${path}`),
    bytesServed: () => requests.reduce((sum, { bytes }) => sum + bytes, 0),
    fault: () => undefined,
    reset() {
      requests.length = 0;
      leaks.length = 0;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([server.close(), storage.close()]);
    },
  };
  return hub;
}

interface Question {
  asked: Served;
  response: ServerResponse;
  repos: ReadonlyMap<string, StoredRepo>;
  token: string;
  pageSize: number;
  storage: string;
}

/** What an address asks for: `/api/models/owner/name/tree/main`, `/owner/name/resolve/main/config.json`. */
interface Place {
  key: string;
  action: "revision" | "tree" | "resolve" | "content";
  revision: string;
  path: string;
}

function parsePlace(pathname: string): Place | undefined {
  const api = /^\/api\/(models|datasets)\/([^/]+(?:\/[^/]+)?)(?:\/(revision|tree)\/([^/]+))?$/.exec(pathname);
  if (api) return { key: `${api[1]}/${api[2]}`, action: (api[3] as "tree" | undefined) ?? "revision", revision: decodeURIComponent(api[4] ?? "main"), path: "" }; // prettier-ignore
  const [, content, dataset, id, revision, path] =
    /^(\/api\/resolve-cache)?(\/datasets)?\/([^/]+(?:\/[^/]+)?)\/resolve\/([^/]+)\/(.+)$/.exec(pathname) ?? [];
  if (path === undefined) return undefined;
  const action = content ? "content" : "resolve";
  return { key: `${dataset ? "datasets" : "models"}/${id}`, action, revision: decodeURIComponent(revision!), path: path.split("/").map(decodeURIComponent).join("/") }; // prettier-ignore
}

async function answer(question: Question): Promise<void> {
  const { asked, response, repos, token, storage } = question;
  const fail = (status: number, code: string, message: string, headers: Record<string, string> = {}): void =>
    sendJson(asked, response, status, { error: message }, { ...(code ? { "x-error-code": code } : {}), "x-error-message": message, ...headers }); // prettier-ignore
  const place = parsePlace(asked.url.pathname);
  const repo = place && repos.get(place.key);
  const { authorization } = asked.request;
  const isKnown = authorization === `Bearer ${token}`;
  if (authorization !== undefined && !isKnown) return fail(401, "", "Invalid credentials in Authorization header");
  if (!place || !repo || (repo.options.private && !isKnown)) return fail(isKnown ? 404 : 401, "RepoNotFound", "Repository not found");
  const commit = repo.refs.get(place.revision) ?? place.revision;
  const files = repo.commits.get(commit);
  if (!files) return fail(404, "RevisionNotFound", `Invalid rev id: ${place.revision}`);
  if (place.action === "revision") return sendJson(asked, response, 200, { id: place.key.replace(/^\w+\//, ""), sha: commit });
  if (place.action === "tree") return sendTree(question, treeEntries(files, repo.options));
  const { gated } = repo.options;
  if (gated && !isKnown) return fail(401, "GatedRepo", "Access to this repository is restricted. You must be authenticated to access it.");
  if (gated === "denied") return fail(403, "GatedRepo", "Access to this repository is restricted and you are not in the authorized list.");
  const file = files.get(place.path);
  if (!file) return fail(404, "EntryNotFound", "Entry not found", { "x-repo-commit": commit });
  const headers = { "x-repo-commit": commit };
  if (file.lfs) {
    const linked = { ...headers, "x-linked-etag": `"${file.etag}"`, "x-linked-size": String(file.bytes.byteLength) };
    return sendJson(asked, response, 302, "", { ...linked, location: `${storage}/${file.etag}` });
  }
  if (place.action === "resolve") {
    const location = `/api/resolve-cache${asked.url.pathname}`; // relative: the same host
    return sendJson(asked, response, 307, "", { ...headers, location });
  }
  await sendBytes(asked, response, file.bytes, { ...headers, etag: `W/"${file.etag}"` });
}

/** A page of the listing, and where the next one is. */
function sendTree({ asked, response, pageSize }: Question, entries: readonly unknown[]): void {
  const start = Number(asked.url.searchParams.get("cursor") ?? 0);
  const next = new URL(asked.url);
  next.searchParams.set("cursor", String(start + pageSize));
  const link = start + pageSize < entries.length ? { link: `<${next.href}>; rel="next"` } : undefined;
  sendJson(asked, response, 200, entries.slice(start, start + pageSize), link);
}
