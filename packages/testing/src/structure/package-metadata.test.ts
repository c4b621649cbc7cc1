import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { listPackages, ROOT } from "./workspace.js";

interface Metadata {
  license: string;
  homepage: string;
  bugs: string;
  repository: { type: string; url: string; directory?: string };
  [field: string]: unknown;
}

const manifestOf = (folder: string): Metadata => JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Metadata;
const workspace = manifestOf(ROOT);

/** The one place that says where the repository is: the workspace's own package.json. */
const address = workspace.homepage.replace(/#readme$/, "");

describe.each(listPackages().filter(({ manifest }) => !manifest.private))("package.json of $name", ({ folder, name }) => {
  const manifest = manifestOf(folder);
  const directory = `packages/${folder.split("/").at(-1)}`;

  it("says what it is and where it comes from", () => {
    expect(manifest).toMatchObject({
      license: "Apache-2.0",
      homepage: `${address}/tree/main/${directory}#readme`,
      bugs: workspace.bugs,
      repository: { ...workspace.repository, directory },
      publishConfig: { access: "public" },
      engines: workspace["engines"],
    });
    expect(manifest["description"]).toMatch(/^[A-Z].{20,120}[^.]$/);
    expect((manifest["keywords"] as string[]).length).toBeGreaterThanOrEqual(3);
  });

  it("is a module without side effects, and publishes what the build makes, once", () => {
    expect(manifest).toMatchObject({ type: "module", sideEffects: false });
    const files = manifest["files"] as string[];
    expect(files).toContain("dist");
    expect(files.filter((path) => /src|test/.test(path))).toEqual([]);
  });

  it("brings Dawn only where a command or the front door needs it", () => {
    const dependencies = (manifest["dependencies"] ?? {}) as Record<string, string>;
    expect("webgpu" in dependencies).toBe(["@kto/cli", "@kto/kit", "kto"].includes(name));
  });

  it("has the licence beside it", () => {
    expect(readFileSync(join(folder, "LICENSE"), "utf8")).toBe(readFileSync(join(ROOT, "LICENSE"), "utf8"));
  });
});

it("tensor takes Dawn where it is there", () => {
  expect(manifestOf(join(ROOT, "packages/tensor"))).toMatchObject({
    peerDependencies: { webgpu: expect.any(String) as unknown },
    peerDependenciesMeta: { webgpu: { optional: true } },
  });
});
