import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const own = require("../package.json") as { version: string; dependencies: Record<string, string> }; // as far from here as from what the build makes of this file

/** This package's version and the runtime's. */
export function versions(): Record<string, string> {
  return { kto: own.version, node: process.versions.node };
}

/** Versions of the packages that this one needs, as they are installed; of one that does not show its own there is none. */
export function libraryVersions(): Record<string, string> {
  const found = Object.keys(own.dependencies).flatMap((name) => {
    try {
      return [[name, (require(`${name}/package.json`) as { version: string }).version]];
    } catch {
      return [];
    }
  });
  return Object.fromEntries(found) as Record<string, string>;
}
