import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { importsOf, isForTests, listPackages, sourceFiles } from "./workspace.js";

describe.each(listPackages().filter(({ manifest }) => !manifest.private))("test support of $name", ({ folder }) => {
  const sources = sourceFiles(join(folder, "src"), { tests: true });

  it("is used by tests only", () => {
    const users = sources.filter((file) => !isForTests(file.path) && importsOf(file).some((path) => path.includes("/testing/")));
    expect(users.map(({ path }) => path)).toEqual([]);
  });

  it("stands below src/testing", () => {
    const named = sources.filter(({ path }) => !isForTests(path) && /test-support|test-helper|fixtures\.ts$/.test(path));
    const importing = sources.filter((file) => !isForTests(file.path) && importsOf(file).includes("vitest"));
    expect([...named, ...importing].map(({ path }) => path)).toEqual([]);
  });

  it("is left out of the build", () => {
    const { exclude } = JSON.parse(readFileSync(join(folder, "tsconfig.build.json"), "utf8")) as { exclude: string[] };
    expect(exclude).toEqual(["src/**/*.test.ts", "src/testing"]);
  });
});
