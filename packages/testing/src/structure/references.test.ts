import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, it } from "vitest";
import { listPackages, ROOT, sourceFiles } from "./workspace.js";

/** Markdown files of the repository, fixtures and changelogs included. */
function markdownFiles(): string[] {
  const below = (folder: string): string[] =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((path) => join(ROOT, folder, path));
  const files = [...readdirSync(ROOT).map((name) => join(ROOT, name)), ...["docs", "packages", "examples", "bench"].flatMap(below)];
  return files.filter((path) => path.endsWith(".md") && !/\/(node_modules|dist|out)\//.test(path));
}

it("every link of a Markdown file to a file of the repository leads somewhere", () => {
  const dead = markdownFiles().flatMap((path) => {
    const prose = readFileSync(path, "utf8").replace(/```[\s\S]*?```|`[^`\n]*`/g, "");
    const targets = [...prose.matchAll(/\]\(([^)\s#:]+)(?:#[^)\s]*)?\)/g)].map((match) => match[1]!);
    return targets.filter((target) => !existsSync(join(dirname(path), target))).map((target) => `${relative(ROOT, path)}: ${target}`);
  });
  expect(dead).toEqual([]);
});

it("comments send nobody to a folder that is not there", () => {
  const sources = listPackages().flatMap(({ folder }) => sourceFiles(join(folder, "src"), { tests: true }));
  const dead = sources.flatMap(({ path, text }) => {
    const named = [...text.matchAll(/^\s*(?:\/\*\*|\*|\/\/).*?\b((?:docs|specs|packages|examples|bench|scripts)\/[\w./-]*\w)/gm)];
    return named.filter(([, target]) => !existsSync(join(ROOT, target!))).map(([, target]) => `${path}: ${target}`);
  });
  expect(dead).toEqual([]);
});
