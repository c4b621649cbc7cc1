import { readFileSync, writeFileSync } from "node:fs";
import { openBrowser, watchErrors, type Browser, type Page } from "@kto/testing/browser";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, expect, it } from "vitest";
import { kto, temporaryFolder, type Outcome } from "./testing/run-kto.js";

let folder: ReturnType<typeof temporaryFolder>;
let browser: Browser;
beforeAll(async () => {
  folder = temporaryFolder();
  const rows = readFileSync(fixturePath("kto", "rows.jsonl"), "utf8").split("\n").slice(0, 8).join("\n");
  writeFileSync(folder.file("rows.jsonl"), `${rows}\n`);
  browser = await openBrowser();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  folder[Symbol.dispose]();
});

const train = (output: string, ...more: string[]): string[] => {
  const fields = {
    model: fixturePath("model"),
    data: folder.file("rows.jsonl"),
    use_peft: true,
    lora_r: 4,
    max_length: 96,
    per_device_train_batch_size: 2,
    max_steps: 30,
    learning_rate: 1e-3,
    logging_steps: 1,
    save_strategy: "no",
    output_dir: folder.file(output),
  };
  return ["train", ...Object.entries(fields).map(([name, value]) => `--${name}=${value}`), ...more];
};
const textOf = (...path: string[]): string => readFileSync(folder.file(...path), "utf8");
const lossesOf = (output: string): [step: number, loss: number][] =>
  textOf(output, "metrics.jsonl").trimEnd().split("\n").map((line) => JSON.parse(line) as { step: number; loss: number }).map(({ step, loss }) => [step, loss]); // prettier-ignore

/** What is to be the case before long, on a machine that has other things to do. */
const eventually = <Value>(
  look: () => Value | Promise<Value>,
  options: { timeout?: number; interval?: number } = {},
): ReturnType<typeof expect.poll> => expect.poll(look, { timeout: 20_000, ...options });

/** A run with its page in Chromium, from before its first update on. */
async function begun(output: string, ...more: string[]): Promise<{ page: Page; said: string[]; outcome: Promise<Outcome> }> {
  const page = await browser.newPage();
  const said = watchErrors(page);
  let show: (url: string) => void = () => {};
  const shown = new Promise<string>((resolve) => (show = resolve));
  const onStderr = (text: string): void => {
    const url = /the run is shown at (\S+)/.exec(text)?.[1];
    if (url !== undefined) show(url);
  };
  const outcome = kto(train(output, "--ui=0", ...more), { onStderr });
  await page.goto(await shown);
  return { page, said, outcome };
}
const state = (page: Page): Promise<string> => page.locator(".run .state").innerText();
const button = (page: Page, name: string): ReturnType<Page["getByRole"]> => page.getByRole("button", { name, exact: true });

it("a live run is paused, saved and stopped from its page, and goes on to the bits of a run that nobody touched", async () => {
  const { page, said, outcome } = await begun("run");
  const shownNow = (): Promise<string> => page.locator(".run .values").innerText();
  await eventually(shownNow, { timeout: 60_000, interval: 20 }).toMatch(/^update \d/);
  await button(page, "Pause").click();
  await eventually(() => state(page)).toBe("paused");
  const logged = lossesOf("run");
  expect(logged.length).toBeLessThan(30);
  await eventually(shownNow).toMatch(new RegExp(`^update ${logged.length} of 30`));
  await eventually(() => page.locator("#numbers tbody tr").first().innerText()).toContain(`(${logged.length})`);
  const last = await page.locator("figure output").first().innerText();
  expect(Number(last)).toBeCloseTo(logged.at(-1)![1], 5);
  await button(page, "Save now").click();
  const saved = folder.file("run", `checkpoint-${logged.length}`);
  await eventually(() => page.locator(".run .message").first().innerText()).toBe(`checkpoint: ${saved}`);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(lossesOf("run")).toEqual(logged); // no update while it is paused
  await button(page, "Resume").click();
  await eventually(() => lossesOf("run").length).toBeGreaterThan(logged.length);
  page.once("dialog", (dialog) => void dialog.accept());
  await button(page, "Stop").click();
  const { status, stdout, stderr } = await outcome;
  expect({ status, stdout }).toEqual({ status: 130, stdout: "" });
  const stoppedAt = lossesOf("run").length;
  expect(stoppedAt).toBeLessThan(30);
  expect(stderr.replaceAll(/\s+/g, " ")).toContain(
    `interrupted after update ${stoppedAt}; the checkpoint is in ${folder.file("run", `checkpoint-${stoppedAt}`)}`,
  );
  for (const line of [`paused after update ${logged.length}`, "stopping in good order, as the page asks"]) expect(stderr).toContain(line);
  await eventually(() => state(page)).toBe("stopped");
  expect(await page.locator(".run .message").first().innerText()).toContain(
    `checkpoint-${stoppedAt}; --resume_from_checkpoint goes on from it`,
  );
  expect(await page.locator("#live > .message").innerText()).toContain("The process has ended");
  expect(said).toEqual([]);
  await page.close();

  expect((await kto(train("run", "--resume_from_checkpoint", "true", "--quiet"))).status).toBe(0);
  expect((await kto(train("whole", "--quiet"))).status).toBe(0);
  const adapter = (output: string): Buffer => readFileSync(folder.file(output, "adapter_model.safetensors"));
  expect(adapter("run").equals(adapter("whole"))).toBe(true);
  expect(lossesOf("run")).toEqual(lossesOf("whole"));
});

it("a run that nobody looks after ends by itself, and its page says what it came to", async () => {
  const { page, said, outcome } = await begun("short", "--max_steps", "6", "--eval_file", folder.file("rows.jsonl"), "--eval_strategy", "steps", "--eval_steps", "3"); // prettier-ignore
  const { status, stdout } = await outcome;
  expect({ status, stdout: stdout.slice(0, 12) }).toEqual({ status: 0, stdout: "TrainOutput(" });
  await eventually(() => state(page)).toBe("finished");
  expect(await page.locator("header p").innerText()).toMatch(/^finished after 6 updates · loss /);
  expect(await page.locator("figure").first().locator(".legend button").allInnerTexts()).toEqual(["loss", "eval_loss"]);
  expect(await page.locator("#numbers tbody tr").nth(1).innerText()).toMatch(/^eval_loss\t[\d.]+ \(3\)\t[\d.]+ \(6\)/);
  expect(await button(page, "Stop").isVisible()).toBe(false);
  expect(said).toEqual([]);
  await page.close();
});

it("a stop before the run begins writes nothing", async () => {
  const { page, outcome } = await begun("early", "--per_device_train_batch_size", "1", "--loss_type", "apo_zero_unpaired");
  page.once("dialog", (dialog) => void dialog.accept());
  await button(page, "Stop").click();
  const { status, stderr } = await outcome;
  expect(status).toBe(130);
  expect(stderr).toMatch(/interrupted|stopped from its page before the run began; nothing was written/);
  await page.close();
});
