import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { installKto } from "./installed-kto.js";

declare module "vitest" {
  interface ProvidedContext {
    /** The folder of an installation of `kto` and `@kto/mpi`. */
    installedKto: string;
  }
}

/** Once for all tests that start ranks: an installation for them. */
export default async function install(project: TestProject): Promise<() => void> {
  const folder = mkdtempSync(join(tmpdir(), "kto-installed-"));
  await installKto(folder);
  project.provide("installedKto", folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
