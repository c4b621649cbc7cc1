import { fileURLToPath } from "node:url";
import { memoryStore, type Store } from "@kto/core";
import { openBrowser, seriousFaults, watchErrors, type Browser, type Page } from "@kto/testing/browser";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { LiveRun, RunStatus } from "./live-run.js";
import { serveRuns, type RunsServer } from "./serve-runs.js";

const evil = '</script><img src=x onerror="document.title=1">';
const row = (step: number, loss: number | null = 1 / step): string =>
  `${JSON.stringify({ step, epoch: step / 10, loss, kl: 0.5, step_time_ms: 100 + Math.random() })}\n`;
const rows = (from: number, to: number): string => Array.from({ length: to - from + 1 }, (_, index) => row(from + index)).join("");

/** What is to be the case before long, on a machine that has other things to do. */
const eventually = <Value>(
  look: () => Value | Promise<Value>,
  options: { timeout?: number; interval?: number } = {},
): ReturnType<typeof expect.poll> => expect.poll(look, { timeout: 20_000, ...options });

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
}, 120_000);
afterAll(() => browser?.close());

let stores: Record<string, Store>;
let statuses: Record<string, RunStatus>;
let acts: string[];
let controlled: string | undefined;
let server: RunsServer;
const runs = (): LiveRun[] =>
  Object.entries(stores).map(([name, folder]) => {
    const act = (action: string) => (): void => void acts.push(action);
    const save = (): Promise<never> => Promise.reject(new Error("the disk is full"));
    const control = { pause: act("pause"), resume: act("resume"), stop: act("stop"), save };
    return { name, folder, status: () => statuses[name]!, ...(name === controlled && { control }) };
  });
const begin = (options: { port?: number; token?: string } = {}): Promise<RunsServer> =>
  serveRuns({ title: "runs", runs, port: 0, ...options });
beforeEach(async () => {
  stores = { outputs: memoryStore("outputs") };
  statuses = { outputs: { state: "training" } };
  acts = [];
  controlled = "outputs";
  await stores["outputs"]!.write("metrics.jsonl", rows(1, 4));
  await stores["outputs"]!.write("resolved_config.yaml", "num_train_epochs: 1\nmax_steps: -1\n");
  server = await begin();
});
afterEach(() => server.close());

async function opened(colorScheme: "light" | "dark" = "light", width = 1440): Promise<{ page: Page; said: string[] }> {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
  const said = watchErrors(page);
  page.on("request", (request) => !request.url().startsWith(`http://127.0.0.1:${server.port}/`) && said.push(`asked for ${request.url()}`));
  await page.goto(server.url);
  return { page, said };
}
const values = (page: Page, chart = 0): Promise<string> => page.locator("figure output").nth(chart).innerText();
const state = (page: Page, run = 0): Promise<string> => page.locator(".run .state").nth(run).innerText();

describe("the live page in Chromium", () => {
  it("shows what comes, as it comes, and leaves alone what was chosen", async () => {
    const { page, said } = await opened();
    await eventually(() => values(page)).toBe("0.25");
    expect([await state(page), await page.locator(".run .values").innerText(), await page.title(), new URL(page.url()).search]).toEqual([
      "training",
      "update 4 of 10, about 1 s left",
      "40 % · outputs",
      "",
    ]);
    await page.getByRole("button", { name: "kl" }).press("Enter");
    await page.locator(".plot").first().focus();
    await page.keyboard.press("Home");
    await page.keyboard.press("+");
    expect(await values(page)).toBe("step 1: 1");
    const folder = stores["outputs"]!;
    await folder.append("metrics.jsonl", row(5, null) + row(8));
    await eventually(() => page.locator("#numbers tbody tr").first().innerText()).toBe("loss\t1 (1)\t0.125 (8)\t0.125 (8)\t1 (1)");
    expect([await values(page), await page.getByRole("button", { name: "Whole run" }).isEnabled()]).toEqual(["step 1: 1", true]);
    expect(await page.getByRole("button", { name: "kl" }).getAttribute("aria-pressed")).toBe("false");
    expect(await page.evaluate(() => document.activeElement?.className)).toContain("plot");
    await page.keyboard.press("0");
    await page.keyboard.press("End");
    expect(await values(page)).toBe("step 8: 0.125");
    await folder.write("data_summary.json", '{"counts": {"prepared": 7, "dropped": 1}}');
    await folder.write("samples.jsonl", `${JSON.stringify({ prompt: evil, before: evil })}\n`);
    await eventually(() => page.locator("nav").innerText()).toMatch(/Config\s*Data\s*Samples/);
    expect(await page.locator("#samples-0 .prompt").innerText()).toBe(evil);
    expect(await page.locator("img").count()).toBe(0);
    expect(said).toEqual([]);
    await page.close();
  });

  it("is told of 100,000 steps once", async () => {
    await stores["outputs"]!.write("metrics.jsonl", rows(1, 100_000));
    const page = await browser.newPage();
    const session = await page.context().newCDPSession(page);
    await session.send("Network.enable");
    const told: number[] = [];
    session.on("Network.eventSourceMessageReceived", ({ data }) => told.push(data.length));
    await page.goto(server.url);
    await eventually(() => values(page)).toBe("1e-5");
    expect(Math.max(...told)).toBeGreaterThan(100_000);
    const numBefore = told.length;
    await stores["outputs"]!.append("metrics.jsonl", row(100_001, 7));
    await eventually(() => values(page)).toBe("7");
    expect(told.slice(numBefore).reduce((sum, length) => sum + length, 0)).toBeLessThan(1000);
    await page.close();
  });

  it("acts on the run: pause, resume, save and stop, by keyboard too; what goes wrong is told", async () => {
    const { page, said } = await opened();
    const button = (name: string): ReturnType<Page["getByRole"]> => page.getByRole("button", { name, exact: true });
    await button("Pause").press("Enter");
    await eventually(() => acts).toEqual(["pause"]);
    statuses["outputs"] = { state: "paused", message: "checkpoint: outputs/checkpoint-4" };
    await button("Resume").waitFor();
    expect([await state(page), await page.locator(".run .message").first().innerText()]).toEqual([
      "paused",
      "checkpoint: outputs/checkpoint-4",
    ]);
    await button("Resume").click();
    await button("Save now").press("Enter");
    await eventually(() => page.getByRole("alert").innerText()).toBe("the disk is full");
    page.once("dialog", (dialog) => void dialog.dismiss());
    await button("Stop").click();
    page.once("dialog", (dialog) => void dialog.accept());
    await button("Stop").click();
    await eventually(() => acts).toEqual(["pause", "resume", "stop"]);
    statuses["outputs"] = { state: "failed", message: evil };
    await server.close();
    await eventually(() => page.locator("#live > .message").innerText()).toContain("The process has ended");
    expect([await state(page), await page.locator(".run .message").first().innerText(), await page.title()]).toEqual([
      "failed",
      evil,
      "failed · outputs",
    ]);
    expect(await button("Stop").isVisible()).toBe(false);
    expect(said).toEqual(["Failed to load resource: the server responded with a status of 500 (Internal Server Error)"]); // Chromium's word of the failed save
    await page.close();
  });

  it("lists the runs of a folder, overlays those that are ticked, and remembers which", async () => {
    controlled = undefined;
    stores["second"] = memoryStore("second");
    statuses["second"] = { state: "interrupted", message: "process 7 worked in it" };
    await stores["second"].write("metrics.jsonl", `${rows(1, 2)}{"step": 3, "lo`);
    const { page, said } = await opened();
    const legend = (): Promise<string[]> => page.locator("figure").first().locator(".legend button").allInnerTexts();
    await eventually(legend).toEqual(["outputs loss", "second loss"]);
    expect(await page.locator(".runs").innerText()).toMatch(/outputs\s*training\s*second\s*interrupted/);
    expect([await state(page, 1), await page.locator("#problems-1").innerText()]).toEqual([
      "interrupted: its process is gone",
      expect.stringContaining("the last line is cut off and was left out"),
    ]);
    expect(await page.getByText("The run is of another process").first().isVisible()).toBe(true);
    expect(await page.getByRole("button", { name: "Stop" }).count()).toBe(0);
    await page.getByLabel("outputs").first().press("Space");
    await eventually(legend).toEqual(["loss"]);
    expect([new URL(page.url()).search, await page.locator("h1").innerText()]).toEqual(["?run=second", "second"]);
    stores["third"] = memoryStore("third"); // has begun and logged nothing
    statuses["third"] = { state: "training" };
    await page.getByLabel("third").check();
    await eventually(() => page.locator("h1").innerText()).toBe("2 runs");
    await page.reload();
    await eventually(() => page.locator("h1").innerText()).toBe("2 runs");
    expect(await page.getByLabel("outputs").first().isChecked()).toBe(false);
    await page.goto(`http://127.0.0.1:${server.port}/?run=nowhere`); // an old bookmark
    await eventually(() => page.locator("h1").innerText()).toBe("3 runs");
    await page.getByLabel("outputs").first().uncheck();
    for (const name of ["second", "third"]) await page.getByLabel(name).first().uncheck();
    await eventually(() => page.locator("#curves").innerText()).toContain("No update has been logged yet.");
    expect(said).toEqual([]);
    await page.close();
  });

  it("says that the server is gone, goes on when it is there again, and knows one that was started anew", async () => {
    const token = "a-token-that-stays";
    const { port } = server;
    await server.close();
    server = await begin({ port, token });
    const { page } = await opened();
    await eventually(() => values(page)).toBe("0.25");
    controlled = undefined; // or the server says that this is the end
    await server.close();
    const note = (): Promise<string> => page.locator("#live > .message").innerText();
    await eventually(note).toContain("The server does not answer");
    expect(await state(page)).toBe("not heard of since it was training");
    await stores["outputs"]!.append("metrics.jsonl", row(8));
    server = await begin({ port, token });
    await eventually(() => values(page)).toBe("0.125");
    expect(await state(page)).toBe("training");
    await server.close();
    server = await begin({ port, token: "another" });
    await eventually(note).toContain("Open the address that it printed");
    await page.close();
  });

  it.each([
    ["light", 1440],
    ["dark", 390],
    ["light", 390],
    ["dark", 1440],
  ] as const)("has nothing that axe-core finds serious, in %s at %i pixels, and fits", async (scheme, width) => {
    stores["a-run-with-a-name-that-is-far-too-long-for-a-telephone-and-has-no-blank-in-it"] = memoryStore("long");
    for (const name of Object.keys(stores)) statuses[name] = { state: name === "outputs" ? "paused" : "failed", message: "x".repeat(200) };
    const { page } = await opened(scheme, width);
    await eventually(() => page.locator(".run .state").count()).toBe(2);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    expect(await seriousFaults(page, fileURLToPath(new URL(`../../screenshots/live-${scheme}-${width}.png`, import.meta.url)))).toEqual([]);
    await page.close();
  });
});

it("a client that reads nothing, or is gone, holds up nobody", async () => {
  const abort = new AbortController();
  const token = new URL(server.url).searchParams.get("token")!;
  const events = `http://127.0.0.1:${server.port}/events?run=outputs`;
  const headers = { authorization: `Bearer ${token}` };
  await Promise.all(Array.from({ length: 20 }, () => fetch(events, { headers, signal: abort.signal })));
  const started = performance.now();
  await stores["outputs"]!.append("metrics.jsonl", row(5));
  expect(performance.now() - started).toBeLessThan(100);
  abort.abort();
  const silent = await fetch(events, { headers }); // and its body is never read
  await server.close();
  expect(performance.now() - started).toBeLessThan(4000);
  await silent.body?.cancel();
});
