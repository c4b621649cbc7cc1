export { type Environment, cacheFolder, hubEndpoint, hubToken, isOffline } from "./node/environment.js";
export { fileDownload } from "./node/file-download.js";
export { hub } from "./node/hub.js";
export type { CacheOptions, DownloadOptions, FileProgress, SnapshotOptions } from "./node/options.js";
export { type FourBitChoice, resolveFourBit } from "./node/resolve-four-bit.js";
export { type Snapshot, snapshotDownload } from "./node/snapshot-download.js";
export { type PushOptions, type PushProgress, type PushResult, pushFolder } from "./push/push-folder.js";
