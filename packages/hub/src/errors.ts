const mark: symbol = Symbol.for("@kto/error");

/** Base of every error this project throws. `code` is stable; facts are fields of the subclass. Recognised across copies of a package by a symbol. */
export class KtoError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
    Object.defineProperty(this, mark, { value: true });
  }
}

/** True for any `KtoError`, also one made by another copy of a package. */
export function isKtoError(value: unknown): value is KtoError {
  return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[mark] === true;
}

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
  readonly reason: HubErrorReason;
  readonly repo: string | undefined;
  readonly file: string | undefined;
  readonly status: number | undefined;

  constructor(message: string, facts: HubErrorFacts) {
    super("HUB", message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.reason = facts.reason;
    this.repo = facts.repo;
    this.file = facts.file;
    this.status = facts.status;
  }
}
