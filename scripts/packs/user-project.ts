import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../../packages/testing/src/structure/workspace.js";
import type { Pack } from "./stage.js";

/** Runs a command of a user's in `folder`; gives what it printed, throws with what it complained of. */
export function run(command: string, args: readonly string[], folder: string, env: Record<string, string> = {}): string {
  try {
    return execFileSync(command, args, {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 300_000,
      env: { ...process.env, ...env },
    });
  } catch (error) {
    const { stdout = "", stderr = "", message } = error as Error & { stdout?: string; stderr?: string };
    throw new Error([stderr, stdout].join("\n").trim() || message, { cause: error });
  }
}

/** A new folder in which these packages have been installed from their tarballs, with what they depend on, and nothing else. */
export function installInto(folder: string, packs: readonly Pack[]): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }));
  run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", ...packs.map(({ tarball }) => tarball)], folder);
}

/** The pack of this name and those of the workspace that it depends on. */
export function closure(name: string, packs: readonly Pack[], dependenciesOf: (pack: Pack) => readonly string[]): Pack[] {
  const found = new Map<string, Pack>();
  const visit = (wanted: string): void => {
    const pack = packs.find((candidate) => candidate.name === wanted);
    if (!pack || found.has(wanted)) return;
    found.set(wanted, pack);
    dependenciesOf(pack).forEach(visit);
  };
  visit(name);
  return [...found.values()];
}

/** Lets a project use a package that is installed in the workspace, as though it had installed it. */
export function borrow(folder: string, name: string): void {
  const place = join(folder, "node_modules", name);
  mkdirSync(dirname(place), { recursive: true });
  symlinkSync(join(ROOT, "node_modules", name), place, "dir");
}

/** Bytes of all files below a folder. */
export function bytesBelow(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).reduce((sum, path) => sum + statSync(join(folder, path)).size, 0);
}
