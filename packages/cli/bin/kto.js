#!/usr/bin/env node
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const program = new URL("../dist/bin.js", import.meta.url);

if (existsSync(fileURLToPath(program))) await import(program.href);
else {
  process.stderr.write(
    "kto: error[NOT_COMPILED]: the command is not compiled; expected dist/bin.js in its package, got no such file; run `npm run build` in the root of the repository\n",
  );
  process.exitCode = 1;
}
