import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { measureEntries, statedSizes } from "./size.js";
import { listPackages, ROOT } from "./workspace.js";

const { scripts: workspaceScripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: Record<string, string> };

describe.each(listPackages().filter(({ manifest }) => !manifest.private))("README of $name", (pack) => {
  const readme = (): string => readFileSync(join(pack.folder, "README.md"), "utf8");

  it("says what it is, how to install it, and shows a sample and its exports", () => {
    expect(existsSync(join(pack.folder, "README.md"))).toBe(true);
    expect(readme()).toMatch(new RegExp(`^# ${pack.name}$`, "m"));
    expect(readme()).toContain("npm install");
    expect(readme()).toMatch(/^```(js|ts|sh)( untyped)?$/m);
    expect(readme()).toMatch(/^\|/m);
  });

  it("says how to use it from a clone, as nothing is on npm yet", () => {
    expect(readme()).toMatch(/`npm ci && npm run packs` .*`npm install PATH\/TO\/CLONE\/release\/\*\.tgz`/);
    expect(Object.keys(workspaceScripts)).toContain("packs");
  });

  it("states its size, to 15 % (npm run sizes writes it)", async () => {
    const measured = [...(await measureEntries(pack)).values()];
    const stated = statedSizes(readme());
    expect(stated).toHaveLength(measured.length);
    for (const [i, bytes] of measured.entries())
      expect(Math.abs(bytes - stated[i]!), `${bytes} bytes`).toBeLessThanOrEqual(0.15 * bytes + 100);
  });
});
