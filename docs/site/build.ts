import { build } from "vitepress";
import { writeApi } from "./api.js";
import { docsFolder } from "./repository.js";

// Writes docs/.vitepress/dist: the API's pages from the sources of the packages, then the site. `npm run docs`
await writeApi();
await build(docsFolder);
