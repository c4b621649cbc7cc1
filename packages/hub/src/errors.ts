import { type ErrorText, KtoError } from "@kto/core";

/**
 * What went wrong, for programs:
 *
 * - `"repoId"`, `"fileName"`: an argument that no hub could take
 * - `"repoNotFound"`, `"revisionNotFound"`, `"entryNotFound"`: the hub knows no such repository (or hides it), revision, file
 * - `"unauthorized"`: the hub did not accept the token; `"gated"`: the repository asks for more than a token, such as an accepted licence
 * - `"refused"`: any other status that is not success; `"unreachable"`: no answer, or none that could be used
 * - `"notCached"`: offline, or the hub unreachable, and the cache does not hold what was asked for
 * - `"checksum"`: the bytes are not those the hub announced, twice
 * - `"noSpace"`: the disk is full; `"cache"`: another failure to write to the cache
 * - `"pickle"`: a model whose weights are only there as pickle files
 */
export type HubErrorReason =
  | "repoId"
  | "fileName"
  | "repoNotFound"
  | "revisionNotFound"
  | "entryNotFound"
  | "unauthorized"
  | "gated"
  | "refused"
  | "unreachable"
  | "notCached"
  | "checksum"
  | "noSpace"
  | "cache"
  | "pickle";

/** Facts of a {@link HubError}. */
export interface HubErrorFacts {
  reason: HubErrorReason;
  repo?: string | undefined;
  /** File of the repository. */
  file?: string | undefined;
  /** HTTP status. */
  status?: number | undefined;
  cause?: unknown;
}

/** The hub, the network or the cache did not give what was asked for. */
export class HubError extends KtoError {
  override name = "HubError";
  readonly reason: HubErrorReason;
  readonly repo: string | undefined;
  readonly file: string | undefined;
  readonly status: number | undefined;

  constructor(text: ErrorText, facts: HubErrorFacts) {
    super("HUB", text, { cause: facts.cause });
    this.reason = facts.reason;
    this.repo = facts.repo;
    this.file = facts.file;
    this.status = facts.status;
  }
}
