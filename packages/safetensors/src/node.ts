export { openModelDir, openSafetensorsFile } from "./node/open.js";
export { writeSafetensorsFile } from "./node/write-file.js";
