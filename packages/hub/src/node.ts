export { type Environment, cacheFolder, hubEndpoint, hubToken } from "./node/environment.js";
export type { CacheOptions, DownloadOptions, FileProgress, SnapshotOptions } from "./node/options.js";
