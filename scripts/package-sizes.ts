import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { measureEntries, SIZE_LINE, sizeLine } from "../packages/testing/src/structure/size.js";
import { listPackages } from "../packages/testing/src/structure/workspace.js";

// Measures every entry of every published package, and writes the sizes into the READMEs. `npm run sizes`
for (const pack of listPackages().filter(({ manifest }) => !manifest.private)) {
  const path = join(pack.folder, "README.md");
  const readme = readFileSync(path, "utf8");
  const line = sizeLine(await measureEntries(pack));
  console.log(`${pack.name}: ${line.split(": ")[1]}`);
  writeFileSync(path, SIZE_LINE.test(readme) ? readme.replace(SIZE_LINE, line) : `${readme.trimEnd()}\n\n${line}\n`);
}
