import { fileURLToPath } from "node:url";

/** What Node is started with for `kto` from source, before the command's own arguments. */
export const ktoProgram: readonly string[] = [
  "--conditions=@kto/source",
  "--import=tsx",
  fileURLToPath(new URL("../bin.ts", import.meta.url)),
];
