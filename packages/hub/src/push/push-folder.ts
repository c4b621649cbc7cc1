import { excerpt } from "@kto/core";
import { commitIter, createRepo, HubApiError, type CommitOutput } from "@huggingface/hub";
import { pathToFileURL } from "node:url";
import { HubError } from "../errors.js";
import { hubEndpoint, hubToken } from "../node/environment.js";
import type { HubOptions } from "../options.js";
import { parseRepoId } from "../repo-id.js";
import { folderFiles, type FolderFile } from "./folder-files.js";
import { defaultCard } from "./model-card.js";
import { noToken, pushError, repoPage, type PushTarget } from "./push-error.js";

/** How far a file has come. */
export interface PushProgress {
  type: "file";
  repo: string;
  /** Path of the file in the repository. */
  name: string;
  /** `hash`: read for its digest; `upload`: on its way, or already there; `done`: part of the commit. */
  state: "hash" | "upload" | "done";
  loadedBytes: number;
  totalBytes: number;
}

/** Options of {@link pushFolder}. What is not given comes from the environment. */
export interface PushOptions extends Omit<HubOptions, "token" | "retry"> {
  /** `"owner/name"`, or `"owner/name@branch"`. */
  repo: string;
  /** Token with write access; default `HF_TOKEN` or the token file. */
  token?: string;
  /** Whether a repository made for this is private; default as the owner has it set. */
  private?: boolean;
  /** Open a pull request instead of writing to the branch; the repository must exist. */
  createPr?: boolean;
  commitMessage?: string;
  /** Shell patterns of the files to push (`*` crosses `/`); default all. */
  include?: readonly string[];
  /** Shell patterns of files to leave out. */
  exclude?: readonly string[];
  onProgress?: (progress: PushProgress) => void;
}

/** Where a push went. */
export interface PushResult {
  /** Page of the commit, or of the pull request. */
  url: string;
  /** Id of the commit. */
  commit: string;
}

const CARD = "README.md";

/**
 * Pushes a folder to the hub as one commit. The repository is made where there is none; large and binary files go through LFS, those that are
 * there already are not sent again; README.md goes with it, and a short one is made where there is none.
 *
 * @throws HubError that says what to do: no token, a token that may not write (401, 403), a branch that moved (409), nothing to push, a private
 *   push to a repository that is public; the signal's reason
 */
export async function pushFolder(folder: string, options: PushOptions): Promise<PushResult> {
  const { repo, revision = options.revision ?? "main" } = parseRepoId(options.repo);
  const { repoType = "model", createPr = false, signal } = options;
  const target: PushTarget = { endpoint: (options.endpoint ?? hubEndpoint()).replace(/\/+$/, ""), repo, repoType, revision };
  if (!repo.includes("/")) {
    throw new HubError(`pushFolder: ${repo} has no owner; expected "owner/name", got ${excerpt(options.repo)}; write yours before it`, {
      reason: "repoId",
      repo,
    });
  }
  const files = await folderFiles(folder, options.include, options.exclude);
  const token = options.token ?? hubToken();
  if (!token) throw noToken(target);
  try {
    const ask = withToken(options.fetch ?? fetch, target.endpoint, token, signal);
    if (!createPr) await ensureRepo(target, ask, options.private);
    const card = files.some(({ path }) => path === CARD) ? undefined : await defaultCard(folder, repo);
    return await commit(files, card, target, ask, options);
  } catch (error) {
    signal?.throwIfAborted();
    throw pushError(error, target);
  }
}

/** Makes the repository if there is none. Throws when it may not, or when it should be private and is not. */
async function ensureRepo(target: PushTarget, ask: typeof fetch, isPrivate: boolean | undefined): Promise<void> {
  const { endpoint, repo, repoType } = target;
  const visibility = isPrivate === undefined ? {} : { visibility: isPrivate ? ("private" as const) : ("public" as const) };
  try {
    await createRepo({ repo: { type: repoType, name: repo }, ...visibility, hubUrl: endpoint, fetch: ask, accessToken: NO_TOKEN });
  } catch (error) {
    if (!(error instanceof HubApiError) || (error.statusCode !== 409 && error.statusCode !== 403)) throw error;
    const response = await ask(`${endpoint}/api/${repoType}s/${repo}`); // a token may write to a repository and yet not make one
    const found = response.ok ? ((await response.json()) as { private?: unknown }) : undefined;
    if (!found && error.statusCode === 403) throw error;
    if (isPrivate !== true || found?.private === true) return;
    throw new HubError(
      `pushFolder: ${repo} exists and is public; expected a private repository, got one that everybody can read; change its visibility at ${repoPage(target)}/settings, or leave out private`,
      { reason: "refused", repo },
    );
  }
}

async function commit(
  files: readonly FolderFile[],
  card: string | undefined,
  { endpoint, repo, repoType, revision }: PushTarget,
  ask: typeof fetch,
  { createPr = false, commitMessage = "Upload folder", signal, onProgress }: PushOptions,
): Promise<PushResult> {
  const sizes = new Map(files.map(({ path, size }) => [path, size]));
  const report = (name: string, state: PushProgress["state"], share: number): void => {
    const totalBytes = sizes.get(name) ?? 0;
    onProgress?.({ type: "file", repo, name, state, loadedBytes: Math.round(share * totalBytes), totalBytes });
  };
  const contents = files.map(({ path, source }) => ({ path, content: pathToFileURL(source) as URL | Blob }));
  if (card !== undefined) contents.push({ path: CARD, content: new Blob([card]) });
  const events = commitIter({
    repo: { type: repoType, name: repo },
    title: commitMessage,
    operations: contents.map(({ path, content }) => ({ operation: "addOrUpdate", path, content })),
    branch: revision,
    isPullRequest: createPr,
    hubUrl: endpoint,
    fetch: ask,
    useXet: false,
    ...(signal ? { abortSignal: signal } : {}),
  });
  let next = await events.next();
  for (; !next.done; next = await events.next()) {
    if (next.value.event === "fileProgress" && next.value.state !== "error")
      report(next.value.path, next.value.state === "hashing" ? "hash" : "upload", next.value.progress);
  }
  const output = next.value as CommitOutput;
  for (const { path } of contents) report(path, "done", 1);
  return { url: output.pullRequestUrl ?? output.commit.url, commit: output.commit.oid };
}

/** Only there to be replaced: `withToken` sets the header, since the library refuses tokens of hubs whose tokens do not begin with `hf_`. */
const NO_TOKEN = "hf_";

/** `fetch` that sends the token to the hub and to no other host. */
function withToken(send: typeof fetch, endpoint: string, token: string, signal: AbortSignal | undefined): typeof fetch {
  const { origin } = new URL(endpoint);
  return (input, init) => {
    const headers = new Headers(init?.headers);
    headers.delete("Authorization");
    if (new URL(input instanceof Request ? input.url : input).origin === origin) headers.set("Authorization", `Bearer ${token}`);
    return send(input, { ...(signal ? { signal } : {}), ...init, headers });
  };
}
