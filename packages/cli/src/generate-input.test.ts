import { cpSync, rmSync, writeFileSync } from "node:fs";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorLinesOf, kto, temporaryFolder } from "./testing/run-kto.js";

let folder: ReturnType<typeof temporaryFolder>;
beforeAll(() => {
  folder = temporaryFolder();
  cpSync(fixturePath("model"), folder.file("silent"), { recursive: true });
  rmSync(folder.file("silent", "tokenizer.json"));
  cpSync(fixturePath("model"), folder.file("odd"), { recursive: true });
  writeFileSync(folder.file("odd", "generation_config.json"), '{"top_p": 3}');
});
afterAll(() => folder[Symbol.dispose]());

/** One line and status 2, without a device: there is none. */
async function expectRefused(flags: readonly string[], says: string | RegExp): Promise<void> {
  const outcome = await kto(["generate", "--model", fixturePath("model"), ...flags], { env: { KTO_DEVICE: "gpu", VK_DRIVER_FILES: "" } });
  const lines = errorLinesOf(outcome).map((line) => line.replaceAll(folder.path, "FOLDER"));
  expect(lines, outcome.stderr).toEqual([typeof says === "string" ? says : expect.stringMatching(says)]);
  expect(outcome).toMatchObject({ status: 2, stdout: "" });
  expect(outcome.stderr).not.toMatch(/\n\s+at /);
}

describe("what is asked", () => {
  it.each<[string, string[], string | RegExp]>([
    [
      "nothing",
      [],
      "kto: error[CONFIG]: generate: there is nothing to answer; expected one of --prompt, --messages and --data, got none; give one",
    ],
    [
      "two things",
      ["--prompt", "a", "--data", "rows.jsonl"],
      "kto: error[CONFIG]: generate: the prompt is given more than once; expected one of --prompt, --messages and --data, got --prompt and --data; give one",
    ],
    ["an operand", ["tell me", "--prompt", "a"], /expected flags only, got "tell me"/],
    ["an empty prompt", ["--prompt", ""], /--prompt: not usable; expected text/],
    ["no such data", ["--data", "no-such.jsonl"], /DATA_FILE.*no-such\.jsonl/],
    ["no such messages", ["--messages", "no-such.json"], /FILE.*no-such\.json.*ENOENT/],
    ["no such adapter", ["--prompt", "a", "--adapter", "./nowhere"], /nowhere/],
    [
      "a prompt that fills max_length",
      ["--prompt", "1 2 3 4 5 6 7 8 9", "--max_length", "8"],
      /CONFIG.*prompt: it fills max_length; expected at most 7 tokens, got \d+; shorten it, or raise max_length/,
    ],
    [
      "a prompt that fills the context",
      ["--prompt", "1 ".repeat(5000)],
      /CONFIG.*prompt: it fills the context; expected at most \d+ tokens, got \d+; shorten it/,
    ],
  ])("%s", (_what, flags, says) => expectRefused(flags, says));
});

describe("how it is answered", () => {
  it.each<[name: string, value: string, says: RegExp]>([
    ["temperature", "-1", /--temperature: not usable; expected a number of at least 0, or null, got -1/],
    ["top_p", "1.5", /--top_p: not usable; expected a number above 0 and at most 1, or null, got 1\.5/],
    ["max_new_tokens", "0", /--max_new_tokens: not usable; expected an integer of at least 1, or null, got 0/],
    ["stop", "", /--stop: not usable; expected texts of at least one letter/],
    ["eos_token_id", "end", /--eos_token_id: not usable; expected the id of a token, or several/],
    ["per_device_eval_batch_size", "0", /--per_device_eval_batch_size/],
    ["temprature", "1", /did you mean temperature\?/],
    ["chat_template", "{% if %}", /TEMPLATE/],
  ])("--%s %s", (name, value, says) => expectRefused(["--prompt", "a", `--${name}`, value], says));

  it("by what generation_config.json says", () =>
    expectRefused(
      ["--model", folder.file("odd"), "--prompt", "a"],
      "kto: error[GENERATION]: generate: top_p of generation_config.json is not usable; expected a number above 0 and at most 1, got 3",
    ));

  it("without a tokenizer", () =>
    expectRefused(["--model", folder.file("silent"), "--prompt", "a"], /has no tokenizer; expected tokenizer\.json beside it, got none/));
});

describe("messages", () => {
  it.each<[string, string, RegExp]>([
    ["damaged", '[{"role": "user", "content": "hi"', /FORMAT.*messages: FOLDER\/messages\.json: .*expected/],
    ["an empty file", "", /messages: FOLDER\/messages\.json cannot be read; expected JSON, got an empty file/],
    ["a page", "<!DOCTYPE html><html>", /got a page of HTML/],
    ["no list", '{"role": "user", "content": "hi"}', /it is no list; expected \[\{"role": …, "content": …\}, …\], got \{"role":"user"/],
    ["none", "[]", /there is no message in it/],
    ["one without a role", '[{"content": "hi"}]', /message 0 \(counted from 0\) has no role/],
    ["one without a content", '[{"role": "user", "content": "hi"}, {"role": "assistant"}]', /message 1 \(counted from 0\) has no content/],
    ["a text in place of one", '["hi"]', /message 0 \(counted from 0\) has no role; .* got "hi"/],
  ])("%s", async (_what, text, says) => {
    writeFileSync(folder.file("messages.json"), text);
    await expectRefused(["--messages", folder.file("messages.json")], says);
  });

  it("with a role that the template refuses", async () => {
    writeFileSync(folder.file("messages.json"), '[{"role": "oracle", "content": "hm"}]');
    const template = "{% for m in messages %}{% if m.role == 'oracle' %}{{ raise_exception('no oracles here') }}{% endif %}{% endfor %}";
    await expectRefused(["--messages", folder.file("messages.json"), "--chat_template", template], /TEMPLATE.*no oracles here/);
  });
});
