export { type FileSource, fileSource } from "./node/file-source.js";
export { fileDirectory, openModelDir, openSafetensorsFile } from "./node/open.js";
export { writeFileAtomic, writeSafetensorsFile } from "./node/write-file.js";
