import { join } from "node:path";
import { seriousFaults, type Browser, type Page } from "@kto/testing/browser";

/** A phone by day and a desk by night: each size and each colour once. */
const views = [
  { name: "phone", width: 390, colorScheme: "light" },
  { name: "desk", width: 1440, colorScheme: "dark" },
] as const;

/** How a page is looked at. */
export interface LookAt {
  /** Where pictures go. */
  screenshots: string;
  /** All of axe-core's rules are run; otherwise only what the browser says is listened to, and what sticks out is found. */
  closely: boolean;
  /** Navigation and sidebars are looked at too, which all pages share. */
  whole: boolean;
}

/** A tab that goes from page to page of a site. */
export class PageVisitor {
  readonly #page: Page;
  readonly #url: string;
  #said: string[] = [];

  private constructor(page: Page, url: string) {
    this.#page = page;
    this.#url = url;
    page.on("pageerror", (error) => this.#said.push(`it says ${String(error)}`));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") this.#said.push(`it says ${message.text()}`);
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) this.#said.push(`it asks for ${request.url()}`);
    });
  }

  static async open(browser: Browser, url: string): Promise<PageVisitor> {
    const context = await browser.newContext({ viewport: { width: views[0].width, height: 844 }, reducedMotion: "reduce" });
    return new PageVisitor(await context.newPage(), url);
  }

  /** What is wrong with a page: messages of the console, requests to other hosts, what sticks out, what axe-core finds serious. */
  async look(path: string, { screenshots, closely, whole }: LookAt): Promise<string[]> {
    const page = this.#page;
    this.#said = [];
    const found: string[] = [];
    await page.goto(`${this.#url}${path}`, { waitUntil: "load" });
    await page.waitForFunction(() => "__vue_app__" in document.querySelector("#app")!);
    for (const { name, width, colorScheme } of views) {
      await page.setViewportSize({ width, height: 844 });
      await page.emulateMedia({ colorScheme });
      await page.waitForFunction((dark) => document.documentElement.classList.contains("dark") === dark, colorScheme === "dark");
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (overflow > 0) found.push(`${name}: it is ${overflow} pixels too wide`);
      if (!closely) continue;
      const picture = join(screenshots, `${path.replaceAll("/", "-").replace(/\.html$/, "")}-${name}.png`);
      found.push(...(await seriousFaults(page, picture, whole ? undefined : ".VPContent")).map((fault) => `${name}: ${fault}`));
    }
    return [...found, ...this.#said];
  }
}
