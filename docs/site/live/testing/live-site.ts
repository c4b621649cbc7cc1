import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { openBrowser, watchErrors, type Browser, type Page } from "@kto/testing/browser";
import { serveSite } from "../../../../scripts/docs/site-server.js";
import { root } from "../../repository.js";
import { lossesIn } from "./node-run.js";

type Context = Awaited<ReturnType<Browser["newContext"]>>;

/** Where pictures of the page are kept, for people to look at. */
export const screenshots: string = join(root, "docs/.vitepress/screenshots/live");

/** The live page, built alone and served under a sub-path, and a browser. */
export interface LiveSite extends AsyncDisposable {
  browser: Browser;
  /** Address of the page. */
  url: string;
  /** Folder of the built site. */
  folder: string;
}

/** Builds the page as the site does. */
export async function openLiveSite(): Promise<LiveSite> {
  const folder = await mkdtemp(join(tmpdir(), "kto-live-"));
  const build = ["--conditions=@kto/source", "--import=tsx", "docs/site/build.ts", folder];
  const env = { ...process.env, DOCS_ONLY: "start/live.md", DOCS_BASE: "/sub/path/" };
  const [browser] = await Promise.all([openBrowser(), promisify(execFile)(process.execPath, build, { cwd: root, env })]);
  const { url, server } = await serveSite(folder, "/sub/path/");
  const close = async (): Promise<void> => {
    await browser.close();
    server.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { browser, url: `${url}start/live.html`, folder, [Symbol.asyncDispose]: close };
}

/** The page in a tab, as a reader has it. */
export class LiveTab {
  readonly page: Page;
  /** Errors and warnings of the console, and requests to other hosts. */
  readonly said: string[];

  constructor(page: Page, url: string) {
    this.page = page;
    this.said = watchErrors(page);
    page.on("request", (request) => {
      if (!request.url().startsWith(new URL(url).origin) && !/^(data|blob):/.test(request.url()))
        this.said.push(`asked for ${request.url()}`);
    });
  }

  static async open(context: Context, url: string): Promise<LiveTab> {
    const tab = new LiveTab(await context.newPage(), url);
    await tab.page.goto(url);
    await tab.page.locator(".live form, .live .note").first().waitFor();
    return tab;
  }

  button(name: string | RegExp): ReturnType<Page["getByRole"]> {
    return this.page.getByRole("button", { name, exact: typeof name === "string" });
  }

  async setUpdates(updates: number): Promise<void> {
    await this.page.getByText("Settings of the run").click();
    await this.page.getByLabel("updates", { exact: true }).fill(String(updates));
  }

  /** Drops a file on the page, of so many bytes where that is all that matters of it, and trains on it. */
  async trainOn(name: string, content: string | Buffer | number): Promise<void> {
    const bytes = typeof content === "number" ? content : [...Buffer.from(content)];
    await this.page
      .locator(".live form")
      .first()
      .evaluate(
        (form, file) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([new Uint8Array(file.bytes as number)], file.name));
          form.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        },
        { name, bytes },
      );
    await this.button("Train").click();
  }

  /** Waits until the page is in a phase: `training`, `idle`. */
  async phase(phase: string): Promise<void> {
    await this.page.locator(`.live[data-phase=${phase}]`).waitFor({ timeout: 120_000 });
  }

  /** Waits until the run has ended in a way: `finished`, `failed`, `stopped`. */
  async end(end: string): Promise<void> {
    await this.page.locator(".live[data-phase=idle][data-end]").waitFor({ timeout: 120_000 });
    const found = await this.page.locator(".live").getAttribute("data-end");
    if (found !== end) throw new Error(`expected ${end}, got ${found}: ${await this.page.locator(".live").innerText()}`);
  }

  /** Waits for an update to be done. */
  async step(step: number): Promise<void> {
    await this.page.waitForFunction((least) => (document.querySelector<HTMLProgressElement>("#live-progress")?.value ?? 0) >= least, step, {
      timeout: 120_000,
    });
  }

  alert(): Promise<string> {
    return this.page.getByRole("alert").first().innerText();
  }

  /** Percent of right answers as the page says them: `before` or `after`. */
  async percent(when: string): Promise<number> {
    return Number.parseFloat(await this.page.locator(`strong.${when}`).innerText());
  }

  /** Losses of the last run, in the page's private files. */
  async keptLosses(): Promise<number[]> {
    const metrics = await this.page.evaluate(async () => {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("kto-live");
      return (await (await folder.getFileHandle("metrics.jsonl")).getFile()).text();
    });
    return lossesIn(metrics);
  }

  /** Downloads what a button gives. */
  async download(name: string): Promise<string> {
    const [download] = await Promise.all([this.page.waitForEvent("download"), this.button(name).click()]);
    return download.path();
  }
}

/** Puts a script before that of the worker, so that it meets another browser there. */
export async function inWorker(context: Context, script: string): Promise<void> {
  await context.route("**/assets/worker*.js", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${script}\n${await response.text()}` });
  });
}
