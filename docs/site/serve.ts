import { existsSync } from "node:fs";
import { createServer } from "vitepress";
import { apiFolder, writeApi } from "./api.js";
import { docsFolder } from "./repository.js";

// Serves the site while its pages are written; the API's pages are made where there are none. `npm run docs:dev`
if (!existsSync(apiFolder)) await writeApi();
const server = await createServer(docsFolder);
await server.listen();
server.printUrls();
