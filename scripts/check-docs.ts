import { rmSync } from "node:fs";
import { join } from "node:path";
import { openBrowser, seriousFaults, watchErrors, type Browser } from "@kto/testing/browser";
import { ROOT } from "../packages/testing/src/structure/workspace.js";
import { deadLinks } from "./docs/page-links.js";
import { pagesOf, serveSite } from "./docs/site-server.js";

// Opens every page of the built site in Chromium, under a sub-path, on a phone and on a desk, in light and in dark. Needs `npm run docs`. `npm run check:docs`

const dist = join(ROOT, "docs/.vitepress/dist");
const screenshots = join(ROOT, "docs/.vitepress/screenshots");
const base = "/kto/";
/** A phone by day and a desk by night: each size and each colour once. */
const views = [
  { name: "phone", width: 390, colorScheme: "light" },
  { name: "desk", width: 1440, colorScheme: "dark" },
] as const;
const only = process.argv[2] ?? "";

const pages = pagesOf(dist).filter((page) => page.includes(only));
const problems: string[] = deadLinks(dist, base, pagesOf(dist));
const { url, server } = await serveSite(dist, base);
const browser = await openBrowser();
rmSync(screenshots, { recursive: true, force: true });
try {
  const waiting = [...pages];
  const worker = async (): Promise<void> => {
    for (let page = waiting.shift(); page !== undefined; page = waiting.shift()) {
      const found = await checkPage(browser, page).catch((error: unknown) => [String(error)]);
      problems.push(...found.map((problem) => `${page}: ${problem}`));
    }
  };
  await Promise.all([worker(), worker()]);
  if (only === "") problems.push(...(await checkSearch(browser)));
} finally {
  await browser.close();
  server.close();
}
for (const problem of problems) console.log(problem);
console.log(`${pages.length} pages, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;

/** What is wrong with a page: messages of the console, requests to other hosts, what sticks out, what axe-core finds serious. */
async function checkPage(inBrowser: Browser, path: string): Promise<string[]> {
  const context = await inBrowser.newContext({ viewport: { width: views[0].width, height: 844 }, colorScheme: views[0].colorScheme });
  const page = await context.newPage();
  const found: string[] = [];
  const said = watchErrors(page);
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) found.push(`it asks for ${request.url()}`);
  });
  try {
    await page.goto(`${url}${path}`, { waitUntil: "load" });
    await page.waitForFunction(() => "__vue_app__" in document.querySelector("#app")!);
    for (const { name, width, colorScheme } of views) {
      await page.setViewportSize({ width, height: 844 });
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.waitForFunction((dark) => document.documentElement.classList.contains("dark") === dark, colorScheme === "dark");
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (overflow > 0) found.push(`${name}: it is ${overflow} pixels too wide`);
      const picture = join(screenshots, `${path.replaceAll("/", "-").replace(/\.html$/, "")}-${name}.png`);
      const isKept = !/^(api|decisions|troubleshooting)\//.test(path);
      found.push(...(await seriousFaults(page, isKept ? picture : undefined)).map((fault) => `${name}: ${fault}`));
    }
  } finally {
    await context.close();
  }
  return [...found, ...said.map((message) => `it says ${message}`)];
}

/** The search finds a page by its words with the keyboard alone, without a request to anywhere else. */
async function checkSearch(inBrowser: Browser): Promise<string[]> {
  const page = await inBrowser.newPage();
  const said = watchErrors(page);
  await page.goto(url, { waitUntil: "load" });
  await page.waitForFunction(() => "__vue_app__" in document.querySelector("#app")!);
  await page.keyboard.press("Control+k");
  await page.waitForSelector(".VPLocalSearchBox input");
  await page.keyboard.type("NON_FINITE_LOSS");
  await page.waitForSelector(".VPLocalSearchBox .result");
  await page.keyboard.press("Enter");
  await page.waitForURL(/NON_FINITE_LOSS/i, { timeout: 10_000 });
  return said.map((message) => `search: it says ${message}`);
}
