import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitepress";
import { packageGuides } from "./guides.js";
import { writeLlms, type ReadPage } from "./llms.js";
import { extendMarkdown } from "./markdown.js";
import { isFromSource, onlyBuilt } from "./packages.js";
import { docsFolder, repositoryUrl, siteBase as base } from "./repository.js";
import { navigation, sidebars } from "./sidebar.js";

/** Pages that are made for a name, by their addresses. */
const made = new Map(packageGuides().map((page) => [`packages/${page.params.name}.md`, page.content]));

const read: ReadPage[] = [];

/** A page to build alone, as a test of it does: `start/live.md`. */
const only = process.env["DOCS_ONLY"];

export default defineConfig({
  base,
  lang: "en",
  title: "kto",
  description: "Fine-tune language models with KTO, DPO and SFT in TypeScript, on any GPU through WebGPU.",
  srcExclude: ["**/node_modules/**", ...(only === undefined ? [] : pagesBut(only))],
  cleanUrls: false,
  lastUpdated: false,
  ignoreDeadLinks: only !== undefined,
  head: [["link", { rel: "icon", href: `${base}icon.svg`, type: "image/svg+xml" }]],
  markdown: { config: extendMarkdown, theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" } },
  vite: {
    resolve: { conditions: isFromSource ? ["@kto/source"] : [] },
    plugins: [onlyBuilt],
    build: {
      chunkSizeWarningLimit: 4000,
      target: "es2022",
      // Comments of zod's that Rollup cannot place say nothing of ours.
      rollupOptions: { onwarn: (warning, warn) => void (warning.code !== "INVALID_ANNOTATION" && warn(warning)) },
    },
    worker: { format: "es", plugins: () => [onlyBuilt], rollupOptions: { output: { assetFileNames: "assets/[name].[hash].[ext]" } } }, // named as the pages name theirs, so that both have one copy
  },
  transformPageData({ relativePath, title }) {
    if (/^(api|wgsl)\//.test(relativePath)) return; // made from sources, for people
    const text = made.get(relativePath) ?? readFileSync(join(docsFolder, relativePath), "utf8");
    read.push({ address: relativePath.replace(/\.md$/, ".html"), title, text: text.replace(/^<script setup>[\s\S]*?<\/script>\n+/, "") });
  },
  buildEnd: ({ outDir }) => writeLlms(outDir, [...new Map(read.map((page) => [page.address, page])).values()]),
  themeConfig: {
    nav: navigation,
    sidebar: sidebars(),
    outline: { level: [2, 3] },
    search: { provider: "local" },
    socialLinks: [{ icon: "github", link: repositoryUrl, ariaLabel: "the repository" }],
    docFooter: { prev: "Before", next: "Next" },
  },
});

/** Pages and folders of docs/ that a page is not in. */
function pagesBut(page: string): string[] {
  const [folder, name] = page.split("/");
  const others = (entries: string[], kept: string | undefined): string[] =>
    entries.filter((entry) => entry !== kept && !entry.startsWith("."));
  return [
    ...others(readdirSync(docsFolder), folder).map((entry) => (entry.endsWith(".md") ? entry : `${entry}/**`)),
    ...others(readdirSync(join(docsFolder, folder!)), name).map((entry) => `${folder}/${entry}`),
  ];
}
