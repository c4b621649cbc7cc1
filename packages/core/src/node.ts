export { fileDirectory, noFolderError } from "./node/file-directory.js";
export { type FileSource, fileSource } from "./node/file-source.js";
export { folderStore } from "./node/folder-store.js";
export { type LaunchedRanks, launchedRanks } from "./node/launched-ranks.js";
export { expectFreePort, listen } from "./node/listen.js";
export { OpenFile } from "./node/open-file.js";
export { writeFileAtomic } from "./node/write-file.js";
