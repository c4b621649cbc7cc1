import { lstatSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { listPackages, ROOT } from "./workspace.js";

const scope = join(ROOT, "node_modules", "@kto");

it.each(readdirSync(scope))("node_modules/@kto/%s is a link into this workspace", (name) => {
  expect(lstatSync(join(scope, name)).isSymbolicLink()).toBe(true);
  expect(realpathSync(join(scope, name)).startsWith(realpathSync(ROOT))).toBe(true);
});

it("links every package, and no package brings a copy of another", () => {
  for (const { name, folder } of listPackages()) {
    expect(realpathSync(join(ROOT, "node_modules", name)), name).toBe(realpathSync(folder));
  }
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as { packages: Record<string, { link?: boolean }> };
  const installed = Object.entries(lock.packages).filter(([path]) => path.includes("node_modules/@kto/"));
  expect(installed.filter(([, { link }]) => !link).map(([path]) => path)).toEqual([]);
});
