import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { seriousFaults } from "@kto/testing/browser";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inWorker, LiveTab, openLiveSite, screenshots, type LiveSite } from "./testing/live-site.js";
import { sha256, trainInNode, type RunResult } from "./testing/node-run.js";

const updates = 24;

let site: LiveSite;
let node: RunResult;
beforeAll(async () => {
  [site, node] = await Promise.all([openLiveSite(), trainInNode(updates)]);
}, 300_000);
afterAll(() => site?.[Symbol.asyncDispose]());

describe("the live page in Chromium, where things go wrong", () => {
  it("keeps a second tab out; goes on to the same bits after a reload in mid-run, a lost GPU, and a closed tab", async () => {
    const context = await site.browser.newContext();
    let tab = await LiveTab.open(context, site.url);
    await tab.setUpdates(updates);
    await tab.button("Train").click();
    await tab.step(2);
    const second = await LiveTab.open(context, site.url);
    await second.page.getByText("Another tab of this browser trains on this page").waitFor();
    await second.button("Train").click();
    await second.end("failed");
    expect(await second.alert()).toMatch(/another tab of this browser trains on this page[^]*About OUTPUT/);
    await second.page.close();

    await tab.step(9);
    await tab.page.reload(); // before the GPU is lost: Chromium breaks about every second reload off whose GPU process was killed before
    await tab.step(11);
    const session = await site.browser.newBrowserCDPSession();
    await session.send("Browser.crashGpuProcess").catch(() => undefined); // it answers to nobody
    await tab.end("failed");
    expect(await tab.alert()).toMatch(/the device was lost[^]*About DEVICE_LOST/);
    await tab.button(`Go on after update 8 of ${updates}`).click();
    await tab.step(17);
    await tab.page.close();

    tab = await LiveTab.open(context, site.url);
    await tab.button(`Go on after update 16 of ${updates}`).click();
    await tab.step(18);
    await tab.button("Pause").click();
    await tab.phase("paused");
    await tab.button("Go on").click();
    await tab.end("finished");
    expect(await tab.keptLosses()).toEqual(node.losses);
    expect(sha256(await readFile(await tab.download("adapter_model.safetensors")))).toBe(node.adapter);
    await context.close();
  });

  it("trains without a private file system, and on marks of one's own; says when memory is refused", async () => {
    const context = await site.browser.newContext();
    await inWorker(
      context,
      `StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException("no", "SecurityError"));
       const { popErrorScope } = GPUDevice.prototype;
       let refused = 0;
       GPUDevice.prototype.popErrorScope = async function () { return (await popErrorScope.call(this)) ?? (refused++ === 0 ? new GPUOutOfMemoryError("no") : null); };`,
    );
    const tab = await LiveTab.open(context, site.url);
    await tab.page.getByLabel("answers that I mark").check();
    await tab.page.getByRole("textbox", { name: "Marked answers" }).fill("1+1=2 👍\n2+2=5 bad\n3+3=");
    expect(await tab.page.locator("#live-typed-state").innerText()).toMatch(/2 marked: 1 👍, 1 👎[^]*line 3: expected a question/);
    expect(await tab.button("Train").isDisabled()).toBe(true);
    await tab.page.getByRole("textbox", { name: "Marked answers" }).fill("1+1=2 👍\n2+2=5 bad");
    await tab.setUpdates(8);
    await tab.button("Train").click();
    await tab.end("failed");
    expect(await tab.alert()).toMatch(/About OUT_OF_MEMORY/);

    await tab.button("Let the model answer").click();
    await tab
      .button(/^good: /)
      .first()
      .click();
    await tab.page.setViewportSize({ width: 390, height: 844 });
    await tab.page.locator(".drawn").scrollIntoViewIfNeeded();
    expect(await seriousFaults(tab.page, join(screenshots, "marks-phone-light.png"))).toEqual([]);
    expect(await tab.page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    expect(await tab.page.getByRole("textbox", { name: "Marked answers" }).inputValue()).toMatch(
      /^1\+1=2 👍\n2\+2=5 bad\n\d+\+\d+=\d+ 👍$/,
    );
    await tab.button("Train").click();
    await tab.step(2);
    await tab.button("Stop").click();
    await tab.end("stopped");
    await tab.button(/^Go on after update \d of 8$/).click();
    await tab.end("finished");
    const text = await tab.page.locator(".live").innerText();
    expect(text).toContain("typed.jsonl: 3 rows, 2 👍, 1 👎");
    expect(text).toContain("This window keeps no files");
    await tab.download("adapter_config.json");
    expect(tab.said).toEqual([]);
    await context.close();
  });

  it("says when the browser keeps no more files, and trains again when it does", async () => {
    const context = await site.browser.newContext();
    const tab = await LiveTab.open(context, site.url);
    const session = await context.newCDPSession(tab.page);
    const { origin } = new URL(site.url);
    await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 100_000 }); // a checkpoint is larger
    await tab.setUpdates(8);
    await tab.button("Train").click();
    await tab.end("failed");
    expect(await tab.alert()).toMatch(/QuotaExceededError[^]*About WRITE/);
    await session.send("Storage.overrideQuotaForOrigin", { origin });
    await tab.button("Train").click();
    await tab.end("finished");
    expect(tab.said).toEqual([]);
    await context.close();
  });
});
