import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A repository that was pushed to. */
export interface PushedRepo {
  private: boolean;
  files: Map<string, Uint8Array>;
  commits: { summary: string; branch: string; isPullRequest: boolean; lfsPaths: string[] }[];
}

/** The half of a hub that takes uploads, on loopback. */
export interface PushHub extends AsyncDisposable {
  endpoint: string;
  /** By `model/owner/name`. */
  repos: Map<string, PushedRepo>;
  /** Objects of the large-file storage, by sha256. */
  objects: Map<string, Uint8Array>;
  /** `POST /api/repos/create`, … in order. */
  requests: string[];
  /** Authorization headers that reached the storage, which is another host. */
  leaks: string[];
  /** Answers a request with a status instead of doing what it asks, while it gives one. */
  refuse: (request: string) => number | undefined;
  /** Called before an object is stored. */
  onUpload: () => void | Promise<void>;
}

interface Asked {
  method: string;
  path: string;
  query: URLSearchParams;
  body: Uint8Array;
}

/** Starts a hub that accepts `token` and lets it make repositories under `owner`. Files end in large-file storage when they are `.safetensors`, or above 1 kB. */
export async function startPushHub({ token = "hf_test", owner = "owner" }: { token?: string; owner?: string } = {}): Promise<PushHub> {
  const hub = {
    repos: new Map(),
    objects: new Map(),
    requests: [],
    leaks: [],
    refuse: () => undefined,
    onUpload: () => {},
  } as unknown as PushHub;
  const storage = await listen(async (request, response) => {
    const { method, path, body } = await read(request);
    hub.requests.push(`${method} storage`);
    if (request.headers.authorization !== undefined) hub.leaks.push(request.headers.authorization);
    await hub.onUpload();
    const oid = path.slice(1);
    if (createHash("sha256").update(body).digest("hex") !== oid) return answer(response, 400, { error: "wrong digest" });
    hub.objects.set(oid, body);
    answer(response, 200, {});
  });
  const server = await listen(async (request, response) => {
    const asked = await read(request);
    const name = `${asked.method} ${asked.path}`;
    hub.requests.push(name);
    const status = request.headers.authorization === `Bearer ${token}` ? hub.refuse(name) : 401;
    if (status !== undefined) return answer(response, status, { error: `refused with ${status}` });
    const [result, body] = respond(hub, asked, owner, storage.address);
    answer(response, result, body);
  });
  hub.endpoint = server.address;
  hub[Symbol.asyncDispose] = async () => {
    await Promise.all([server.close(), storage.close()]);
  };
  return hub;
}

function respond(hub: PushHub, asked: Asked, owner: string, storage: string): [number, unknown] {
  if (asked.path === "/api/repos/create") return createRepo(hub, asked, owner);
  const lfs = /^\/(datasets\/)?([^/]+\/[^/]+)\.git\/info\/lfs\/objects\/batch$/.exec(asked.path);
  if (lfs) return lfsBatch(hub, asked, storage);
  const [, type, id, action, branch] = /^\/api\/(model|dataset)s\/([^/]+\/[^/]+)(?:\/(preupload|commit)\/(.+))?$/.exec(asked.path) ?? [];
  const repo = hub.repos.get(`${type}/${id}`);
  if (!repo) return [404, { error: "Repository not found" }];
  if (action === "preupload") return preupload(asked);
  if (action === "commit") return commit(hub, repo, asked, id!, decodeURIComponent(branch!));
  return [200, { id, private: repo.private }];
}

function createRepo(hub: PushHub, { body }: Asked, owner: string): [number, unknown] {
  const { name, organization, type, visibility } = json(body) as Record<string, string>;
  const key = `${type}/${organization}/${name}`;
  if (hub.repos.has(key)) return [409, { error: "You already created this model repo" }];
  if (organization !== owner) return [403, { error: "You don't have the rights to create a model under this namespace" }];
  hub.repos.set(key, { private: visibility === "private", files: new Map(), commits: [] });
  return [200, { url: `${hub.endpoint}/${organization}/${name}`, id: `${organization}/${name}` }];
}

function preupload({ body }: Asked): [number, unknown] {
  const { files } = json(body) as { files: { path: string; size: number }[] };
  const modeOf = ({ path, size }: { path: string; size: number }): string =>
    path.endsWith(".safetensors") || size > 1000 ? "lfs" : "regular";
  return [200, { files: files.map((file) => ({ path: file.path, uploadMode: modeOf(file) })) }];
}

function lfsBatch(hub: PushHub, { body }: Asked, storage: string): [number, unknown] {
  const { objects } = json(body) as { objects: { oid: string; size: number }[] };
  const withAction = (object: { oid: string }): unknown =>
    hub.objects.has(object.oid) ? object : { ...object, actions: { upload: { href: `${storage}/${object.oid}` } } };
  return [200, { transfer: "basic", objects: objects.map(withAction) }];
}

function commit(hub: PushHub, repo: PushedRepo, { body, query }: Asked, id: string, branch: string): [number, unknown] {
  const lines = new TextDecoder()
    .decode(body)
    .split("\n")
    .map((line) => JSON.parse(line) as { key: string; value: Record<string, string> });
  const files = new Map<string, Uint8Array>();
  const lfsPaths: string[] = [];
  for (const { key, value } of lines) {
    if (key === "file") files.set(value["path"]!, Buffer.from(value["content"]!, "base64"));
    if (key !== "lfsFile") continue;
    const object = hub.objects.get(value["oid"]!);
    if (!object) return [422, { error: `no object ${value["oid"]}` }];
    files.set(value["path"]!, object);
    lfsPaths.push(value["path"]!);
  }
  const isPullRequest = query.get("create_pr") === "1";
  if (!isPullRequest) for (const [path, bytes] of files) repo.files.set(path, bytes);
  repo.commits.push({ summary: lines[0]!.value["summary"]!, branch, isPullRequest, lfsPaths });
  const commitOid = createHash("sha1").update(body).digest("hex");
  const pullRequest = isPullRequest ? { pullRequestUrl: `${hub.endpoint}/${id}/discussions/1` } : {};
  return [200, { commitOid, commitUrl: `${hub.endpoint}/${id}/commit/${commitOid}`, ...pullRequest }];
}

const json = (body: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(body));

async function read(request: IncomingMessage): Promise<Asked> {
  const parts: Uint8Array[] = [];
  for await (const part of request) parts.push(part as Uint8Array);
  const { pathname, searchParams } = new URL(request.url!, "http://hub");
  return { method: request.method!, path: pathname, query: searchParams, body: Buffer.concat(parts) };
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function listen(
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<{ address: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy()); // the client went away
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
