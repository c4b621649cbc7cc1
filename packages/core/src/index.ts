export { bytesSource, type ByteSource } from "./bytes/byte-source.js";
export type { ByteDirectory } from "./bytes/directory.js";
export type { ByteSink, Store, StoreEntry } from "./store.js";
export { nearestName } from "./nearest-name.js";
