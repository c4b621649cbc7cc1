/// <reference lib="esnext.disposable" preserve="true" />
export { blobSource, bytesSource, type ByteSource, readExactly } from "./bytes/byte-source.js";
export { blobDirectory, type ByteDirectory, httpDirectory, type ListedDirectory } from "./bytes/directory.js";
export { beginsAsHtml } from "./bytes/html.js";
export { httpSource, type HttpSourceOptions } from "./bytes/http-source.js";
export { foreignText } from "./bytes/foreign-text.js";
export { readText } from "./bytes/read-text.js";
export { commonPrefixLength } from "./common-prefix.js";
export { type ErrorCode, errorCodes } from "./error-codes.js";
export {
  ArgumentError,
  BoundsError,
  CapabilityError,
  describeError,
  DtypeError,
  errorMessage,
  type ErrorParts,
  type ErrorText,
  FormatError,
  isKtoError,
  KtoError,
  SourceError,
  WriteError,
  RanksError,
  type RankFailure,
} from "./errors.js";
export { excerpt, shorten } from "./excerpt.js";
export { expandHome } from "./expand-home.js";
export { eventStream, eventStreamHeaders } from "./http/event-stream.js";
export { isLocalHost } from "./http/local-host.js";
export { Secret } from "./http/secret.js";
export { Float, floatText, isFloat } from "./json/float.js";
export { JsonReader, parseJson, type JsonPlace } from "./json/parse-json.js";
export { stringifyJson } from "./json/stringify-json.js";
export { nearestName } from "./nearest-name.js";
export type { ByteSink, Store, StoreEntry } from "./store.js";
export { memoryStore } from "./store/memory-store.js";
export { opfsStore } from "./store/opfs-store.js";
