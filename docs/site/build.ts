import { build } from "vitepress";
import { writeApi } from "./api.js";
import { buildPackages, isFromSource } from "./packages.js";
import { docsFolder } from "./repository.js";

// Writes docs/.vitepress/dist, or the folder that is named: the API's pages from the sources of the packages, then the site from the packages as they are
// built. `npm run docs`. With DOCS_ONLY=start/live.md that page alone, from sources.
const [outDir] = process.argv.slice(2);
if (!isFromSource) await Promise.all([buildPackages(), writeApi()]);
await build(docsFolder, outDir === undefined ? {} : { outDir });
