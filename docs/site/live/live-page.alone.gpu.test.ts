import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { seriousFaults } from "@kto/testing/browser";
import { unzipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../repository.js";
import { LiveTab, openLiveSite, screenshots, type LiveSite } from "./testing/live-site.js";
import { sha256, trainInNode, type RunResult } from "./testing/node-run.js";
import { watchPage } from "./testing/watch-frames.js";

const updates = 24;

let site: LiveSite;
let node: RunResult;
beforeAll(async () => {
  [site, node] = await Promise.all([openLiveSite(), trainInNode(updates)]);
}, 300_000);
afterAll(() => site?.[Symbol.asyncDispose]());

describe("the live page in Chromium", () => {
  it("learns by keyboard, responsive, with the losses and the adapter of Node, and hands the adapter out; a reload shows it all again", async () => {
    const context = await site.browser.newContext({ viewport: { width: 390, height: 844 }, colorScheme: "light" });
    const tab = await LiveTab.open(context, site.url);
    expect(await seriousFaults(tab.page, join(screenshots, "begin-phone-light.png"))).toEqual([]);
    await tab.setUpdates(updates);
    const { frames, longestTask } = await watchPage(site.browser, tab.page, async () => {
      await tab.button("Train").press("Enter");
      await tab.end("finished");
    });
    expect(longestTask).toBeLessThanOrEqual(100);
    expect(frames.filter((ms) => ms > 100).length).toBeLessThanOrEqual(frames.length / 20); // the machine may have other things to do
    expect(await tab.percent("after")).toBeGreaterThanOrEqual((await tab.percent("before")) + 15);
    expect(await tab.keptLosses()).toEqual(node.losses);
    expect(await tab.page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    expect(await seriousFaults(tab.page, join(screenshots, "end-phone-light.png"))).toEqual([]);

    const files = unzipSync(await readFile(await tab.download("Download adapter and model (zip)")));
    expect(sha256(files["adapter/adapter_model.safetensors"]!)).toBe(node.adapter);
    expect(JSON.parse(new TextDecoder().decode(files["adapter/adapter_config.json"]))).toMatchObject({ base_model_name_or_path: "model" });
    expect(files["model/model.safetensors"]).toEqual(
      new Uint8Array(await readFile(join(root, "examples/quickstart/model/model.safetensors"))),
    );

    await tab.page.getByLabel("A sum below").fill("26+34");
    await tab.page.keyboard.press("Enter");
    await tab.page.locator(".chat .before").waitFor();
    const answer = await tab.page.locator(".chat li").innerText();
    expect(answer).toMatch(/^26\+34=\s+\d+\s+before training: \d+$/);

    await tab.page.emulateMedia({ colorScheme: "dark" });
    await tab.page.setViewportSize({ width: 1440, height: 900 });
    await tab.page.reload();
    await tab.end("finished");
    await tab.page.locator(".live-curves canvas").first().waitFor();
    expect(await seriousFaults(tab.page, join(screenshots, "end-desk-dark.png"))).toEqual([]);
    await tab.page.getByLabel("A sum below").fill("26+34=");
    await tab.button("Ask").click();
    await tab.page.locator(".chat .before").waitFor();
    expect(await tab.page.locator(".chat li").innerText()).toBe(answer);
    expect(sha256(await readFile(await tab.download("adapter_model.safetensors")))).toBe(node.adapter);
    expect(tab.said).toEqual([]);
    await context.close();
  });

  it.each([
    ["picture.png", Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 3]), /picture\.png[^]*About/],
    ["words.txt", "no JSON at all\n", /line 1 of words\.txt/],
    ["empty.jsonl", "", /empty\.jsonl/],
    ["large.jsonl", 200 * 2 ** 20, /too large for this page; expected at most 16 MiB, got 200 MiB/],
    ["other.jsonl", '{"instruction": "1+1=", "score": 3}\n', /instruction[^]*About ROW/],
    [
      "english.jsonl",
      '{"prompt": "Hello", "completion": "world", "label": true}\n',
      /no token for some of the characters; expected \+ = 0 1 [^]*got "H" "e" "l"[^]*About DATA_PREPARATION/,
    ],
  ])("refuses %s in words, and takes another file", async (name, content, message) => {
    const context = await site.browser.newContext();
    const tab = await LiveTab.open(context, site.url);
    await tab.trainOn(name, content);
    await tab.end("failed");
    expect(await tab.alert()).toMatch(message);
    expect(await tab.button("Train").isEnabled()).toBe(true);
    expect(tab.said).toEqual([]);
    await context.close();
  });

  it.each([
    ["no WebGPU", "delete Navigator.prototype.gpu", /This browser has no WebGPU/],
    ["no adapter", "GPU.prototype.requestAdapter = async () => null", /gives no GPU/],
  ])("says what to do where there is %s", async (_, script, message) => {
    const context = await site.browser.newContext();
    await context.addInitScript(script);
    const tab = await LiveTab.open(context, site.url);
    expect(await tab.alert()).toMatch(message);
    expect(await tab.button("Train").count()).toBe(0);
    expect(await seriousFaults(tab.page)).toEqual([]);
    await context.close();
  });

  it("is at most 300 kB of ours before the model, gzipped", async () => {
    const assets = join(site.folder, "assets");
    const names = (await readdir(assets)).filter((name) => /^(worker|start_live\.md)\b(?!.*\.lean).*\.js$/.test(name)); // curves come with the first update
    expect(names).toHaveLength(2);
    const sizes = await Promise.all(names.map(async (name) => gzipSync(await readFile(join(assets, name))).byteLength));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(300_000);
  });
});
