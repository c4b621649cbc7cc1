import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openBrowser } from "@kto/testing/browser";
import { ROOT } from "../packages/testing/src/structure/workspace.js";
import { PageVisitor } from "./docs/look-at-page.js";
import { lookOf } from "./docs/page-kinds.js";
import { deadLinks } from "./docs/page-links.js";
import { markupFaults } from "./docs/page-markup.js";
import { pagesOf, serveSite } from "./docs/site-server.js";
import { calculatorFaults, searchFaults } from "./docs/site-uses.js";

// Opens every page of the built site in Chromium, under a sub-path, on a phone by day and on a desk by night: all closely that are written one by one, and two of
// each template; the others briefly. Links and markup are checked without the browser. Needs `npm run docs`. `npm run check:docs [-- PART OF A NAME]`

const dist = join(ROOT, "docs/.vitepress/dist");
const screenshots = join(ROOT, "docs/.vitepress/screenshots");
const base = "/kto/";
const only = process.argv[2] ?? "";

const all = pagesOf(dist);
const looks = lookOf(all);
const pages = all.filter((page) => page.includes(only));
const problems: string[] = deadLinks(dist, base, all);
for (const page of pages) problems.push(...markupFaults(readFileSync(join(dist, page), "utf8")).map((fault) => `${page}: ${fault}`));
const { url, server } = await serveSite(dist, base);
const browser = await openBrowser();
rmSync(screenshots, { recursive: true, force: true });
try {
  const waiting = [...pages.entries()];
  const visit = async (): Promise<void> => {
    let visitor = await PageVisitor.open(browser, url);
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, page] = next;
      const how = { screenshots, closely: only !== "" || looks.get(page) === "closely", whole: index === 0 };
      const found = await visitor.look(page, how).catch(async (error: unknown) => {
        visitor = await PageVisitor.open(browser, url);
        return [String(error)];
      });
      problems.push(...found.map((problem) => `${page}: ${problem}`));
    }
  };
  await Promise.all([visit(), visit()]);
  if (only === "") problems.push(...(await searchFaults(browser, url)), ...(await calculatorFaults(browser, url)));
} finally {
  await browser.close();
  server.close();
}
for (const problem of problems) console.log(problem);
console.log(`${pages.length} pages, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
