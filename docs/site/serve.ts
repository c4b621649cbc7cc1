import { existsSync } from "node:fs";
import { createServer } from "vitepress";
import { apiFolder, writeApi } from "./api.js";
import { docsFolder } from "./repository.js";

// Serves the site while its pages are written, from the sources of the packages; the API's pages are made where there are none. `npm run docs:dev`
process.env["DOCS_FROM_SOURCE"] = "1"; // read when VitePress loads the configuration
if (!existsSync(apiFolder)) await writeApi();
const server = await createServer(docsFolder);
await server.listen();
server.printUrls();
