import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openBrowser, seriousFaults, watchErrors, type Browser, type Page } from "@kto/testing/browser";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reportHtml } from "./report-html.js";
import type { Run } from "./run/run.js";
import { runOf } from "./testing/run-of.js";

/** Where pictures of the page are kept, for people to look at. */
const screenshots = fileURLToPath(new URL("../screenshots", import.meta.url));
const evil = '</script><img src=x onerror="document.title=1">';
const evaluations = [10, 20, 30].map((step) => ({ step, eval_loss: 0.4 - step / 1000 }));
const run = runOf({
  numSteps: 30,
  loss: (step) => (step === 7 ? null : 0.5 - step / 100),
  evaluations,
  samples: [
    {
      prompt: "2 + 2",
      split: "eval",
      row: 7,
      before: "5",
      isCut: { before: true, after: false },
      after: "4",
      tokens: [
        { text: "4", logRatio: 1.5 },
        { text: evil, logRatio: -3 },
      ],
    },
    { prompt: evil, before: evil },
  ],
});

let browser: Browser;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kto-report-"));
  browser = await openBrowser();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await rm(folder, { recursive: true });
});

/** A page of runs, and what it said that it should not. */
async function opened(
  runs: readonly Run[],
  colorScheme: "light" | "dark" = "light",
  width = 1440,
): Promise<{ page: Page; said: string[] }> {
  const path = join(folder, "report.html");
  await writeFile(path, await reportHtml(runs));
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
  const said = watchErrors(page);
  page.on("request", (request) => request.url() !== `file://${path}` && said.push(`asked for ${request.url()}`));
  await page.goto(`file://${path}`);
  return { page, said };
}

const textOf = (page: Page, selector: string): Promise<string> => page.locator(selector).innerText();

describe("the page in Chromium", () => {
  it("shows the run's numbers under the cursor, and every chart of it", async () => {
    const { page, said } = await opened([run]);
    expect(await page.locator("figure h3").allInnerTexts()).toEqual([
      "Loss", "Rewards", "Margins", "KL", "Gradient norm", "Learning rate", "Log-probabilities", "Entropy", "Tokens a second", "Samples a second",
      "Time of an update, ms", "GPU memory",
    ]); // prettier-ignore
    const loss = page.locator("figure").first();
    expect(await loss.locator("output").innerText()).toBe("loss 0.2 · eval_loss 0.37");
    await loss.locator(".plot").focus();
    await page.keyboard.press("Home");
    expect(await loss.locator("output").innerText()).toBe("step 1: loss 0.49");
    for (let press = 0; press < 9; press++) await page.keyboard.press("ArrowRight");
    expect(await loss.locator("output").innerText()).toBe("step 10: loss 0.4 · eval_loss 0.39");
    expect(await page.locator("figure").nth(3).locator("output").innerText()).toMatch(/^step 10: 0\.841471$/); // all charts follow
    expect(await loss.locator(".plot").getAttribute("aria-label")).toContain(
      "loss from 0.49 at step 1 to 0.2 at step 30, between 0.2 and 0.49",
    );
    expect(said).toEqual([]);
    await page.close();
  });

  it("zooms, smooths, takes logarithms and hides curves, by keyboard alone", async () => {
    const { page, said } = await opened([run]);
    const pixels = (): Promise<string> =>
      page
        .locator("figure canvas")
        .first()
        .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
    const seen = [await pixels()];
    const changes = async (act: () => Promise<void>): Promise<void> => {
      await act();
      await page.waitForTimeout(50);
      const now = await pixels();
      expect(seen).not.toContain(now);
      seen.push(now);
    };
    const plot = page.locator(".plot").first();
    await changes(async () => { await plot.focus(); await page.keyboard.press("+"); }); // prettier-ignore
    expect(await page.getByRole("button", { name: "Whole run" }).isEnabled()).toBe(true);
    await page.getByRole("button", { name: "Whole run" }).press("Enter");
    await page.waitForTimeout(50);
    expect(await pixels()).toBe(seen[0]);
    await changes(() => page.getByLabel("Smoothing").fill("0.8"));
    await changes(() => page.getByLabel("log scale").press("Space"));
    await changes(() => page.getByRole("button", { name: "eval_loss" }).press("Enter"));
    expect(await page.getByRole("button", { name: "eval_loss" }).getAttribute("aria-pressed")).toBe("false");
    expect(said).toEqual([]);
    await page.close();
  });

  it("tells numbers, config, data and samples in words", async () => {
    const { page } = await opened([run]);
    expect(await textOf(page, "#numbers tbody tr:first-child")).toBe("loss\t0.49 (1)\t0.2 (30)\t0.2 (30)\t0.49 (1)");
    expect(await textOf(page, "#config tbody")).toBe("learning_rate\t1.e-5");
    await page.getByLabel("all 2 fields").check();
    expect(await textOf(page, "#config tbody")).toBe("learning_rate\t1.e-5\nbeta\t0.1");
    expect(await textOf(page, "#data-0")).toContain("64–127");
    expect(await textOf(page, "#samples-0 article:nth-of-type(1) h3")).toBe("Prompt 1: row 7 of the evaluation data");
    expect(await page.locator("#samples-0 .answers .hint").allInnerTexts()).toEqual(["Cut off there: it is as long as answers might be."]);
    expect(await page.locator("#samples-0 .token.more").nth(1).getAttribute("title")).toBe("log-ratio 1.5");
    await page.close();
  });

  it("shows text of rows as text", async () => {
    const { page, said } = await opened([{ ...run, name: evil }]);
    expect(await page.locator("img").count()).toBe(0);
    expect(await textOf(page, "h1")).toBe(evil);
    expect(await page.locator("#samples-0 .prompt").nth(1).innerText()).toBe(evil);
    expect(await page.title()).toBe(evil);
    expect(said).toEqual([]);
    await page.close();
  });

  it("compares runs: curves over each other, fields that differ", async () => {
    const other = {
      ...runOf({ numSteps: 20, name: "second" }),
      config: [
        { name: "learning_rate", value: "2.e-5" },
        { name: "beta", value: "0.1" },
      ],
    };
    const { page, said } = await opened([run, other]);
    expect(await page.locator("figure").first().locator(".legend button").allInnerTexts()).toEqual([
      "outputs loss",
      "outputs eval_loss",
      "second loss",
    ]);
    expect(await textOf(page, "#config tbody")).toBe("learning_rate\t1.e-5\t2.e-5");
    expect(said).toEqual([]);
    await page.close();
  });

  it("opens without an evaluation, without a number, and without an update", async () => {
    const nothing = { ...runOf({ numSteps: 0 }), isFinished: false, results: undefined, data: undefined, config: [] };
    for (const one of [runOf({ numSteps: 5, loss: () => null }), runOf({ numSteps: 1 }), nothing]) {
      const { page, said } = await opened([one]);
      expect(said).toEqual([]);
      expect(await textOf(page, "#curves")).toContain(one === nothing ? "No update has been logged yet." : "Loss");
      await page.close();
    }
  });

  it("opens 100,000 steps within two seconds of a core", async () => {
    const path = join(folder, "long.html");
    await writeFile(path, await reportHtml([runOf({ numSteps: 100_000 })]));
    const page = await browser.newPage();
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" }); // of the page's thread, whatever else the machine does
    await page.goto(`file://${path}`);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
    const { metrics } = await session.send("Performance.getMetrics");
    const seconds = metrics.find(({ name }) => name === "TaskDuration")!.value;
    expect(seconds).toBeGreaterThan(0.01);
    expect(seconds).toBeLessThan(2);
    await page.close();
  });

  it.each([
    ["light", 1440],
    ["dark", 390],
    ["light", 390],
    ["dark", 1440],
  ] as const)("has nothing that axe-core finds serious, in %s at %i pixels, and fits", async (scheme, width) => {
    const { page } = await opened([run], scheme, width);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    expect(await seriousFaults(page, join(screenshots, `report-${scheme}-${width}.png`))).toEqual([]);
    await page.close();
  });
});
