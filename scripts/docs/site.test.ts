import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { expect, it } from "vitest";
import { packageGuides, publishedPackages } from "../../docs/site/guides.js";
import { docsFolder, siteLink, sourceOf } from "../../docs/site/repository.js";
import { sidebars } from "../../docs/site/sidebar.js";
import { valueAt, valueCurve } from "../../docs/site/theme/kto-value.js";
import { sitePages } from "../../packages/testing/src/structure/samples.js";
import { deadLinks } from "./page-links.js";

it.each([
  ["../losses/README.md#pairs", "packages/trainer/README.md", "/packages/losses.md#pairs"],
  ["../packages/report", "docs/cli.md", "/packages/report.md"],
  ["../../docs/cli.md", "packages/cli/README.md", "/cli.md"],
  ["decisions/0010-one-declaration-of-a-field.md", "docs/style.md", "/decisions/0010-one-declaration-of-a-field.md"],
  ["../../examples/quickstart", "docs/start/first-run.md", "https://github.com/kto-js/kto/tree/main/examples/quickstart"],
  ["../packages/tensor/src/kernels/matmul.wgsl.ts", "docs/kernels.md", "https://github.com/kto-js/kto/blob/main/packages/tensor/src/kernels/matmul.wgsl.ts"], // prettier-ignore
  ["../packages/testing/README.md", "docs/style.md", "/packages/testing.md"],
  ["../../docs/api/@kto.lora.md", "packages/lora/README.md", "/api/@kto.lora.md"],
  ["#fields", "docs/cli.md", "#fields"],
  ["https://arxiv.org/abs/2402.01306", "docs/methods/kto.md", "https://arxiv.org/abs/2402.01306"],
])("%s of %s leads to %s", (href, source, target) => expect(siteLink(href, source)).toBe(target));

it("a link to nothing is an error", () => {
  expect(() => siteLink("../packages/tensr", "docs/cli.md")).toThrow(/docs\/cli.md: there is nothing at \.\.\/packages\/tensr/);
});

it("the guide of a package is its README, all others lie in docs", () => {
  expect(sourceOf("packages/lora.md")).toBe("packages/lora/README.md");
  expect(sourceOf("packages/index.md")).toBe("docs/packages/index.md");
  expect(sourceOf("methods/kto.md")).toBe("docs/methods/kto.md");
  for (const { content, params } of packageGuides()) expect(content, params.name).toMatch(/Everything it exports, with types: \[`/);
});

it("docs/package.json lists the packages that pages bundle, so that they are built before the site", () => {
  const { devDependencies } = JSON.parse(readFileSync(join(docsFolder, "package.json"), "utf8")) as {
    devDependencies: Record<string, string>;
  };
  const paths = readdirSync(join(docsFolder, "site"), { recursive: true, encoding: "utf8" });
  const bundled = paths.filter((path) => /^(live|memory|theme)\/.*\.(ts|vue)$/.test(path) && !/\.test\.ts$|\/testing\//.test(path));
  const imported = bundled.flatMap((path) => {
    const text = readFileSync(join(docsFolder, "site", path), "utf8");
    return Array.from(text.matchAll(/(?:from|import\()\s*"(@kto\/[\w-]+)/g), ([, name]) => name!);
  });
  const listed = Object.keys(devDependencies).filter((name) => name.startsWith("@kto/"));
  expect(listed).toEqual([...new Set(imported)].sort());
});

it("every page is in a sidebar, and every link of a sidebar is a page", () => {
  const linked = JSON.stringify(sidebars()).matchAll(/"link":"([^"]*)"/g);
  const links = new Set(Array.from(linked, ([, link]) => link!.replace(/\/$/, "/index").slice(1)));
  const written = sitePages().map((path) => relative(docsFolder, path).replace(/\.md$/, ""));
  const guides = publishedPackages().map(({ short }) => `packages/${short}`);
  expect(written.filter((page) => !links.has(page))).toEqual([]);
  const pages = new Set([...written, ...guides, "style"]);
  expect([...links].filter((link) => !pages.has(link) && !/^(api|decisions|wgsl)\//.test(link))).toEqual([]);
});

it("dead pages and headings are found, also under a sub-path", () => {
  const folder = mkdtempSync(join(tmpdir(), "kto-links-"));
  try {
    writeFileSync(
      join(folder, "a.html"),
      '<h1 id="top">A</h1><a href="/kto/b.html#here">1</a><a href="./b.html#gone">2</a><a href="/b.html">3</a>',
    );
    writeFileSync(
      join(folder, "b.html"),
      '<h2 id="here">B</h2><a class="x" href="https://example.org/c.html">4</a><a href="/kto/c.html">5</a>',
    );
    expect(deadLinks(folder, "/kto/", ["a.html", "b.html"])).toEqual([
      "a.html: b.html has nothing of the name gone",
      "a.html: there is no page at /b.html",
      "b.html: there is no page at /kto/c.html",
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("KTO's curve is half its weight at z₀, falls for a desirable row and rises for an undesirable one, and pulls hardest there", () => {
  const settings = { beta: 0.1, kl: 5, weight: 2, isDesirable: true };
  expect(valueAt(settings, 5)).toMatchObject({ loss: 1, pull: expect.closeTo(0.05, 10) as number });
  const losses = valueCurve(settings).map(({ loss }) => loss);
  expect(losses).toEqual(losses.toSorted((a, b) => b - a));
  const rising = valueCurve({ ...settings, isDesirable: false }).map(({ loss }) => loss);
  expect(rising).toEqual(rising.toSorted((a, b) => a - b));
  const pulls = valueCurve(settings);
  expect(pulls.reduce((most, point) => (point.pull > most.pull ? point : most)).logRatio).toBeCloseTo(5, 0);
});
