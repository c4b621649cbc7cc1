import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";
import { type Fault, type LoopbackRequest, type Served, listen, sendBytes, sendJson } from "./loopback-server.js";
import { type PushedRepo, addPushed, newRepo, preuploaded } from "./pushed-repo.js";

export type { PushedRepo } from "./pushed-repo.js";

/** What goes wrong with a request of a push. */
export interface PushFault extends Fault {
  /** Does what was asked for, and closes the connection without a word. */
  loseAnswer?: boolean;
}

/** The half of a hub that takes uploads, on loopback, with its large-file storage at another address. Real HTTP. */
export interface PushHub extends AsyncDisposable {
  readonly endpoint: string;
  readonly token: string;
  /** What the token may do: `write`, `read`, or `fineGrained`, which says nothing of a repository. */
  role: string;
  /** Larger objects are uploaded in parts of so many bytes. */
  partSize: number;
  /** By `model/owner/name`. */
  readonly repos: Map<string, PushedRepo>;
  /** Objects of the large-file storage, by sha256. */
  readonly objects: Map<string, Uint8Array>;
  readonly requests: LoopbackRequest[];
  /** Requests as `"POST /api/repos/create"`; those to the storage are `"PUT storage"`. */
  requested(): string[];
  /** Bytes of files that reached the storage, those of cut uploads included. */
  received: number;
  /** Authorization headers that reached the storage, which is another host. */
  readonly leaks: string[];
  /** What goes wrong with a request; replace it to make something go wrong. `cutAfter` is of the bytes that are sent to the hub. */
  fault: (request: LoopbackRequest) => PushFault | undefined;
  /** Files of a branch as text, by path. */
  texts(repo?: string, branch?: string): Record<string, string>;
}

/** An upload in parts. */
interface Parts {
  oid: string;
  bytes: Map<number, Uint8Array>;
}

/** Starts a hub on which `token` may make repositories under `owner`. Files end in large-file storage when they are `.safetensors`, or above 1 kB. */
export async function startPushHub({ token = "hf_test", owner = "owner" }: { token?: string; owner?: string } = {}): Promise<PushHub> {
  const requests: LoopbackRequest[] = [];
  const leaks: string[] = [];
  const uploads = new Map<string, Parts>();
  const served = (request: LoopbackRequest): PushFault => {
    requests.push(request);
    return hub.fault(request) ?? {};
  };
  const storage = await listen("storage", served, async (asked, response) => {
    if (asked.request.authorization !== undefined) leaks.push(asked.request.authorization);
    const body = await bodyOf(asked, response, (count) => (hub.received += count));
    const [, upload, last = ""] = /^\/(?:parts\/(\w+)\/)?(\w+)$/.exec(asked.url.pathname) ?? [];
    const digest = createHash("sha256").update(body).digest("hex");
    if (upload !== undefined) {
      if (!uploads.has(upload)) return sendJson(asked, response, 404, { error: "NoSuchUpload" });
      uploads.get(upload)!.bytes.set(Number(last), body);
    } else if (digest !== last) return sendJson(asked, response, 400, { error: "wrong digest" });
    else hub.objects.set(last, body);
    sendJson(asked, response, 200, {}, { etag: `"${digest}"` });
  });
  const server = await listen("hub", served, async (asked, response) => {
    const body = await bodyOf(asked, response);
    if (asked.request.authorization !== `Bearer ${token}`) return sendJson(asked, response, 401, { error: "Invalid credentials" });
    const [status, json] = respond({ hub, owner, asked, body, uploads, storage: storage.address });
    if ((asked.fault as PushFault).loseAnswer) response.destroy();
    else if (json instanceof Uint8Array) await sendBytes(asked, response, json, { etag: '"0123"', "x-repo-commit": "0".repeat(40) });
    else sendJson(asked, response, status, json);
  });
  const hub: PushHub = {
    endpoint: server.address,
    token,
    role: "write",
    partSize: Infinity,
    repos: new Map(),
    objects: new Map(),
    requests,
    received: 0,
    leaks,
    fault: () => undefined,
    requested: () => requests.map(({ host, method, path }) => (host === "storage" ? `${method} storage` : `${method} ${path}`)),
    texts(repo = "model/owner/adapter", branch = "main") {
      const files = hub.repos.get(repo)?.branches.get(branch)?.at(-1)?.files ?? new Map<string, Uint8Array>();
      return Object.fromEntries([...files].map(([path, bytes]) => [path, new TextDecoder().decode(bytes)]));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([server.close(), storage.close()]);
    },
  };
  return hub;
}

interface Question {
  hub: PushHub;
  owner: string;
  asked: Served;
  body: Uint8Array;
  uploads: Map<string, Parts>;
  storage: string;
}

type Answer = [status: number, json: unknown];

function respond(question: Question): Answer {
  const { hub, owner, asked, body, uploads } = question;
  const { pathname, searchParams } = asked.url;
  if (pathname === "/api/whoami-v2") return [200, { type: "user", name: owner, auth: { accessToken: { role: hub.role } } }];
  if (pathname === "/api/repos/create") return createRepo(question);
  if (pathname === "/api/complete_multipart") return join(hub, uploads, searchParams.get("upload")!, body);
  if (/^\/(?:datasets\/)?[^/]+\/[^/]+\.git\/info\/lfs\/objects\/batch$/.test(pathname)) return lfsBatch(question);
  const [, file, at, path] = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(pathname) ?? [];
  if (file !== undefined) {
    const commits = [...(hub.repos.get(`model/${file}`)?.branches.values() ?? [])].flat();
    const bytes = commits.find(({ id }) => id === at)?.files.get(decodeURIComponent(path!));
    return bytes ? [200, bytes] : [404, { error: "Entry not found" }];
  }
  const [, type, id, action, branch = "main"] =
    /^\/api\/(model|dataset)s\/([^/]+\/[^/]+)(?:\/(preupload|commit|revision|branch)\/(.+))?$/.exec(pathname) ?? [];
  const repo = hub.repos.get(`${type}/${id}`);
  if (!repo) return [404, { error: "Repository not found" }];
  const mayWrite = hub.role !== "read" && id!.startsWith(`${owner}/`);
  const revision = decodeURIComponent(branch);
  if (action !== undefined && action !== "revision" && !mayWrite) return [403, { error: "Forbidden: no write access" }];
  if (action === "branch") {
    if (repo.branches.has(revision)) return [409, { error: "Branch exists" }];
    repo.branches.set(revision, [...repo.branches.get("main")!]);
    return [200, {}];
  }
  const head = repo.branches.get(revision)?.at(-1);
  if (!head) return [404, { error: `Invalid rev id: ${revision}` }];
  const given = action === undefined || action === "revision" ? undefined : new TextDecoder().decode(body);
  if (given === undefined) return [200, { id, private: repo.private, sha: head.id }];
  if (action === "preupload") return [200, { files: preuploaded(head, JSON.parse(given) as { files: { path: string; size: number }[] }) }];
  return addPushed({ repo, id: id!, revision, endpoint: hub.endpoint, objects: hub.objects, isPullRequest: searchParams.get("create_pr") === "1" }, given); // prettier-ignore
}

function createRepo({ hub, owner, body }: Question): Answer {
  const { name, organization, type, visibility } = JSON.parse(new TextDecoder().decode(body)) as Record<string, string>;
  const key = `${type}/${organization}/${name}`;
  if (hub.repos.has(key)) return [409, { error: "You already created this model repo" }];
  if (organization !== owner || hub.role === "read")
    return [403, { error: "You don't have the rights to create a model under this namespace" }];
  hub.repos.set(key, newRepo(visibility === "private"));
  return [200, { url: `${hub.endpoint}/${organization}/${name}`, id: `${organization}/${name}` }];
}

function lfsBatch({ hub, body, uploads, storage }: Question): Answer {
  const { objects } = JSON.parse(new TextDecoder().decode(body)) as { objects: { oid: string; size: number }[] };
  const withAction = (object: { oid: string; size: number }): unknown => {
    if (hub.objects.has(object.oid)) return object;
    if (object.size <= hub.partSize) return { ...object, actions: { upload: { href: `${storage}/${object.oid}` } } };
    const upload = `upload${uploads.size}`;
    uploads.set(upload, { oid: object.oid, bytes: new Map() });
    const count = Math.ceil(object.size / hub.partSize);
    const parts = Array.from({ length: count }, (_, index) => [String(index + 1).padStart(5, "0"), `${storage}/parts/${upload}/${index + 1}`]); // prettier-ignore
    const header = { chunk_size: String(hub.partSize), ...(Object.fromEntries(parts) as Record<string, string>) };
    return { ...object, actions: { upload: { href: `${hub.endpoint}/api/complete_multipart?upload=${upload}`, header } } };
  };
  return [200, { transfer: "basic", objects: objects.map(withAction) }];
}

/** Joins the parts of an upload. */
function join(hub: PushHub, uploads: Map<string, Parts>, id: string, body: Uint8Array): Answer {
  const upload = uploads.get(id);
  const { oid, parts } = JSON.parse(new TextDecoder().decode(body)) as { oid: string; parts: { partNumber: number; etag: string }[] };
  const pieces = parts.map(({ partNumber }) => upload?.bytes.get(partNumber) ?? new Uint8Array());
  const areThose = parts.every(({ etag }, index) => etag === `"${createHash("sha256").update(pieces[index]!).digest("hex")}"`);
  const bytes = new Uint8Array(Buffer.concat(pieces));
  if (!upload || !areThose || createHash("sha256").update(bytes).digest("hex") !== oid) return [400, { error: "the parts do not fit" }];
  hub.objects.set(oid, bytes);
  uploads.delete(id);
  return [200, {}];
}

/** The body of a request; the connection is closed where the fault says so. */
async function bodyOf(
  { fault: { cutAfter = Infinity } }: Served,
  response: ServerResponse,
  onBytes?: (count: number) => void,
): Promise<Uint8Array> {
  // prettier-ignore
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.req as AsyncIterable<Uint8Array>) {
    parts.push(part);
    length += part.byteLength;
    onBytes?.(part.byteLength);
    if (length < cutAfter) continue;
    response.req.socket.destroy();
    throw new Error("cut");
  }
  return new Uint8Array(Buffer.concat(parts));
}
