export { HubError, type HubErrorFacts, type HubErrorReason } from "./errors.js";
export { fourBitSibling } from "./four-bit-sibling.js";
export { filterFiles, matchesGlob } from "./glob.js";
export { expectSafetensors, modelFilePatterns, pickleFiles } from "./model-files.js";
export { type RepoId, type RepoType, isRepoId, parseRepoId } from "./repo-id.js";
export type { HubSource, RepoFile, ResolvedRevision } from "./source.js";
export { hub } from "./hub.js";
export type { HubOptions, RetryOptions } from "./options.js";
