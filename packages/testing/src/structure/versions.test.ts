import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { listPackages, ROOT } from "./workspace.js";

interface Versioned {
  version: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

const packages = listPackages().map(({ name, manifest }) => ({ name, isPrivate: manifest.private, ...(manifest as unknown as Versioned) }));
const versions = new Map(packages.map(({ name, version }) => [name, version]));
const notes = readdirSync(join(ROOT, ".changeset")).filter((file) => file.endsWith(".md"));
const heads = notes.map((file) => ({ file, head: readFileSync(join(ROOT, ".changeset", file), "utf8").split("---\n")[1] ?? "" }));

it("every note of a change raises a version: `none` would leave no line in a CHANGELOG", () => {
  expect(heads.filter(({ head }) => /: none$/m.test(head) || !/: (patch|minor|major)$/m.test(head)).map(({ file }) => file)).toEqual([]);
});

describe.each(packages.filter(({ isPrivate }) => !isPrivate))(
  "$name",
  ({ name, version, dependencies, devDependencies, peerDependencies }) => {
    it("takes the packages beside it in the version that they have", () => {
      const ranges = Object.entries({ ...devDependencies, ...dependencies }).filter(
        ([other]) => versions.has(other) && other !== "@kto/testing",
      );
      expect(ranges.filter(([other, range]) => range !== `^${versions.get(other)}`)).toEqual([]);
      // A peer's range is wide: changesets takes one that is left behind for a breaking change.
      expect(Object.entries(peerDependencies ?? {}).filter(([other, range]) => versions.has(other) && range !== "0.x")).toEqual([]);
    });

    if (version === "0.0.0") {
      it("becomes 0.1.0 with `npx changeset version`", () => {
        expect(heads.some(({ head }) => head.includes(`"${name}": minor`))).toBe(true);
        expect(heads.some(({ head }) => head.includes(`"${name}": major`))).toBe(false);
      });
    }
  },
);
