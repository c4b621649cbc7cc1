import { type RepoAt, fetchTree, fileUrl } from "../api.js";
import { HubError } from "../errors.js";
import type { HubClient } from "../http/client.js";
import { request } from "../http/request.js";
import { discard } from "../http/send.js";
import type { RepoFile } from "../source.js";

/** What a blob is called, and how long it is. */
export interface BlobFacts {
  etag: string;
  size: number;
}

/** Git's id of an empty file. */
const EMPTY_BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

/** The facts in an entry of a tree; undefined where it lacks one. */
export function blobFacts({ size, lfs, blobId }: RepoFile): BlobFacts | undefined {
  const etag = lfs?.sha256 ?? blobId;
  return etag === undefined || (size === 0 && etag !== EMPTY_BLOB) ? undefined : { etag, size }; // no size is read as 0
}

/**
 * Asks the hub for the facts of a file, which the answer's headers tell; what they lack is looked up in the tree.
 *
 * @throws HubError (`"entryNotFound"`) when the repository has no such file, and as every request
 */
export async function fetchBlobFacts(client: HubClient, asked: RepoAt & { file: string }): Promise<BlobFacts> {
  const { file } = asked;
  const url = fileUrl(client, asked, file);
  const { response } = await request(client, { method: "HEAD", url, redirects: "same-origin" }, asked);
  await discard(response);
  const { headers, ok } = response;
  const etag = normalised(headers.get("x-linked-etag") ?? (ok ? headers.get("etag") : null));
  const size = byteCount(headers.get("x-linked-size") ?? (ok ? headers.get("content-length") : null)); // a redirect has a length of its own
  if (etag !== undefined && size !== undefined) return { etag, size };
  const entry = (await fetchTree(client, asked)).find(({ path }) => path === file);
  const facts = entry && blobFacts(entry);
  if (facts) return facts;
  throw new HubError(
    `hub: ${client.endpoint} tells too little of ${file} of ${asked.repo}; expected its etag and size, got etag ${etag ?? "none"}, size ${size ?? "none"}; check HF_ENDPOINT`,
    { reason: "refused", repo: asked.repo, file },
  );
}

/** `W/"abc"` → `abc`. */
function normalised(etag: string | null): string | undefined {
  const text = etag?.replace(/^W\//, "").replace(/^"|"$/g, "");
  return text === "" ? undefined : text;
}

function byteCount(text: string | null): number | undefined {
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}
