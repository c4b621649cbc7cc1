import { libraryBuild } from "../../tsup.base.js";

export default libraryBuild(["src/index.ts", "src/platform/node.ts", "src/platform/browser.ts"]);
