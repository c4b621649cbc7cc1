import { libraryBuild } from "../../tsup.base.js";

export default libraryBuild(["src/index.ts", "src/node.ts", "src/platform/node.ts", "src/platform/browser.ts", "src/tokenize-worker.ts"]);
