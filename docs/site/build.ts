import { build } from "vitepress";
import { writeApi } from "./api.js";
import { docsFolder } from "./repository.js";

// Writes docs/.vitepress/dist, or the folder that is named: the API's pages from the sources of the packages, then the site. `npm run docs`
// With DOCS_ONLY=start/live.md that page alone.
const [outDir] = process.argv.slice(2);
if (process.env["DOCS_ONLY"] === undefined) await writeApi();
await build(docsFolder, outDir === undefined ? {} : { outDir });
