import { excerpt } from "@kto/core";
import { HubError } from "../errors.js";
import { PassingFailure, Retries } from "../http/retry.js";
import { cacheFolder } from "../node/environment.js";
import type { Connections } from "../node/transfer/connections.js";
import { forEachOf } from "../node/transfer/connections.js";
import type { ProgressReport } from "../node/transfer/progress.js";
import { ask, askOnce, jsonOf, refused } from "./ask.js";
import type { Content } from "./content.js";
import { type Part, put, StaleAddress } from "./put.js";
import { type PushTarget, repoPage } from "./target.js";
import { type BegunUpload, UploadNotes } from "./upload-notes.js";

/** How large files travel. */
export interface UploadWay {
  target: PushTarget;
  /** Of the whole push. */
  connections: Connections;
  createPr: boolean;
  cacheDir: string | undefined;
  reportOf(content: Content): ProgressReport;
}

/** What the hub says of one object. */
interface LfsObject {
  oid: string;
  actions?: { upload?: LfsAction; verify?: LfsAction };
  error?: { code?: number; message?: string };
}

interface LfsAction {
  href: string;
  header?: Record<string, string>;
}

const LFS_HEADERS = { accept: "application/vnd.git-lfs+json", "content-type": "application/vnd.git-lfs+json" };
/** Objects that are asked about at once, as many as Python's client does. */
const BATCH = 256;
const TIMEOUT_MS = 60_000;
/** New addresses that are asked for when those given are not taken. */
const MAX_ADDRESSES = 3;

/** Brings files into the hub's large-file storage; those that it has are not sent. Throws HubError, or the signal's reason. */
export async function uploadLarge(way: UploadWay, contents: readonly Content[]): Promise<void> {
  const { signal } = way.target.client;
  const byOid = new Map<string, Content>(); // equal files are one object
  await forEachOf(contents, 2, signal, async (content) => {
    if (content.size > 4_000_000) way.reportOf(content).start(0); // it takes a while to read
    byOid.set(await content.sha256(), content);
  });
  const objects = [...byOid];
  for (let at = 0; at < objects.length; at += BATCH) {
    const part = objects.slice(at, at + BATCH);
    const answers = await askBatch(way, part);
    await forEachOf(part, part.length, signal, async ([oid, content], both) => upload(way, content, oid, answers.get(oid), both));
  }
  for (const content of contents) await content.expectUnchanged();
}

/** Where objects go; objects without an action are there. */
async function askBatch(
  { target, createPr }: UploadWay,
  objects: readonly (readonly [string, Content])[],
): Promise<Map<string, LfsObject>> {
  const reply = await ask(target, {
    method: "POST",
    url: `${repoPage(target)}.git/info/lfs/objects/batch`,
    headers: LFS_HEADERS,
    body: JSON.stringify({
      operation: "upload",
      transfers: ["basic", "multipart"],
      hash_algo: "sha256",
      ...(!createPr && { ref: { name: target.revision } }),
      objects: objects.map(([oid, { size }]) => ({ oid, size })),
    }),
    timeoutMs: TIMEOUT_MS,
  });
  const { objects: answers } = jsonOf(reply, target) as { objects?: LfsObject[] };
  return new Map((Array.isArray(answers) ? answers : []).map((answer) => [answer.oid, answer]));
}

async function upload(way: UploadWay, content: Content, oid: string, first: LfsObject | undefined, signal: AbortSignal): Promise<void> {
  const { target } = way;
  const report = way.reportOf(content);
  const notes = new UploadNotes(way.cacheDir ?? cacheFolder(), repoPage(target), oid);
  let answer = first;
  for (let left = MAX_ADDRESSES; ; left--) {
    const action = actionOf(answer, content, target);
    if (!action) return notes.remove(); // it is there
    try {
      if (action.header?.["chunk_size"] === undefined) await uploadWhole(way, content, action, signal);
      else await uploadParts(way, content, oid, action, notes, signal);
      await verify(target, answer!.actions!.verify, oid, content.size);
      return await notes.remove();
    } catch (error) {
      if (!(error instanceof StaleAddress)) throw error;
      await notes.remove();
      if (left === 1) throw refused({ status: error.status, said: `the storage, of ${content.path}` }, target);
      report.retry(error.message, 0, 0);
      answer = (await askBatch(way, [[oid, content]])).get(oid);
    }
  }
}

/** Where a file goes; undefined when it is there. */
function actionOf(answer: LfsObject | undefined, { path }: Content, target: PushTarget): LfsAction | undefined {
  const { code, message } = answer?.error ?? {};
  if (answer?.error) throw refused({ status: code ?? 422, said: `${path}: ${message ?? "refused"}` }, target);
  const action = answer?.actions?.upload;
  if (answer && !action) return undefined;
  if (action && URL.canParse(action.href)) return action;
  throw new HubError(
    `push: ${target.client.endpoint} does not say where ${path} goes; expected an address, got ${excerpt(action?.href)}; push again`,
    {
      reason: "refused",
      repo: target.repo,
      file: path,
    },
  );
}

async function uploadWhole(way: UploadWay, content: Content, { href, header = {} }: LfsAction, signal: AbortSignal): Promise<void> {
  way.reportOf(content).start(0);
  await sendPart(way, { content, from: 0, to: content.size, url: href, headers: header }, signal);
}

/** Sends the parts of a file that are missing, several at once, and has them joined. */
async function uploadParts(
  way: UploadWay,
  content: Content,
  oid: string,
  action: LfsAction,
  notes: UploadNotes,
  signal: AbortSignal,
): Promise<void> {
  // prettier-ignore
  const begun = (await notes.read(content.size)) ?? beginParts(content, action, way.target);
  const { chunkSize, urls, etags } = begun;
  const partOf = (index: number): Part => ({
    content,
    from: index * chunkSize,
    to: Math.min((index + 1) * chunkSize, content.size),
    url: urls[index]!,
    headers: {},
  });
  const arrived = urls.map((_, index) => index).filter((index) => etags[index] !== "");
  way.reportOf(content).start(arrived.reduce((sum, index) => sum + partOf(index).to - partOf(index).from, 0));
  const missing = urls.map((_, index) => index).filter((index) => etags[index] === "");
  await forEachOf(missing, way.connections.count, signal, async (index, both) => {
    etags[index] = await sendPart(way, partOf(index), both);
    if (etags[index] === "") throw new StaleAddress(200); // without an ETag the parts cannot be joined
    await notes.write(begun);
  });
  const parts = etags.map((etag, index) => ({ partNumber: index + 1, etag }));
  const joined = await ask(way.target, { method: "POST", url: begun.href, headers: LFS_HEADERS, body: JSON.stringify({ oid, parts }), timeoutMs: TIMEOUT_MS }); // prettier-ignore
  if (joined.status >= 400) throw new StaleAddress(joined.status);
}

/** A new upload in parts: addresses `1`, `2`, …, as the hub numbers them. */
function beginParts({ path, size }: Content, { href, header = {} }: LfsAction, target: PushTarget): BegunUpload {
  const chunkSize = Number(header["chunk_size"]);
  const numbers = Object.keys(header).filter((name) => /^\d+$/.test(name));
  const urls = numbers.sort((a, b) => Number(a) - Number(b)).map((name) => header[name]!);
  if (
    Number.isSafeInteger(chunkSize) &&
    chunkSize > 0 &&
    urls.length === Math.ceil(size / chunkSize) &&
    urls.every((url) => URL.canParse(url))
  )
    return { href, urls, chunkSize, etags: urls.map(() => ""), begunMs: Date.now() };
  throw new HubError(
    `push: ${target.client.endpoint} gives no way to upload ${path}; expected ${size} bytes in parts, got ${urls.length} parts of ${excerpt(header["chunk_size"])} bytes; push again`,
    { reason: "refused", repo: target.repo, file: path },
  );
}

/** Sends bytes until they have arrived. */
async function sendPart(way: UploadWay, part: Part, signal: AbortSignal): Promise<string> {
  const { target, connections } = way;
  const report = way.reportOf(part.content);
  const retries = new Retries(target.client.retry, signal, ({ message }, delayMs) => report.retry(message, delayMs, undefined));
  for (;;) {
    let sent = 0;
    try {
      return await connections.use(async () =>
        put(target.client, part, signal, (count) => {
          sent += count;
          report.add(count);
        }),
      );
    } catch (error) {
      report.add(-sent); // nothing of a part that broke off is kept
      if (error instanceof PassingFailure) await retries.wait(error, { repo: target.repo, file: part.content.path });
      else throw error;
    }
  }
}

/** Has the hub look at an object that has arrived, where it wants to. */
async function verify(target: PushTarget, action: LfsAction | undefined, oid: string, size: number): Promise<void> {
  if (!action) return;
  const retries = new Retries(target.client.retry, target.client.signal);
  for (;;) {
    try {
      const reply = await askOnce(target, { method: "POST", url: action.href, headers: { ...LFS_HEADERS, ...action.header }, body: JSON.stringify({ oid, size }), timeoutMs: TIMEOUT_MS }); // prettier-ignore
      if (reply.status >= 400) throw refused(reply, target);
      return;
    } catch (error) {
      await retries.wait(error, { repo: target.repo });
    }
  }
}
