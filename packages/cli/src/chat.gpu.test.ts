import { readFileSync, writeFileSync } from "node:fs";
import { Readable } from "node:stream";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PseudoTerminal } from "./testing/pseudo-terminal.js";
import { errorLinesOf, kto, temporaryFolder, type Outcome } from "./testing/run-kto.js";

let folder: ReturnType<typeof temporaryFolder>;
beforeAll(() => (folder = temporaryFolder()));
afterAll(() => folder[Symbol.dispose]());

const model = fixturePath("model");
const greedy = ["chat", "--model", model, "--dtype", "float32", "--do_sample", "false", "--eos_token_id", "511"];

interface Message {
  role: string;
  content: string;
}
const messagesOf = (path: string): Message[] => JSON.parse(readFileSync(path, "utf8")) as Message[];
const contents = (path: string): string[] => messagesOf(path).map(({ content }) => content);
const questions = (path: string): string[] =>
  messagesOf(path)
    .filter(({ role }) => role === "user")
    .map(({ content }) => content);

describe("in a terminal", () => {
  it("turns are edited, pasted and taken back, the conversation goes on from the cache, and is saved", async () => {
    using terminal = new PseudoTerminal([...greedy, "--max_new_tokens", "5", "--adapter", `polite=${fixturePath("lora", "main")}`]);
    await terminal.sees(/\/help says what can be typed.*\r\n/);
    await terminal.sees(/> /);
    terminal.type("hell world");
    await terminal.sees(/hell world/);
    terminal.type("\u001b[D".repeat(6));
    terminal.type("o");
    await terminal.sees(/hello world/);
    terminal.type("\r");
    const first = await terminal.sees(/5 tokens, [\d.]+ tokens\/s, prompt (\d+), 0 of it cached, cut at its length/);
    expect(first).toContain("\u001b[2m<think>"); // the template opens the thinking, which is dimmed
    await terminal.sees(/> /);
    terminal.type("\u001b[200~pasted one\rpasted two\u001b[201~\r");
    await terminal.sees(/prompt \d+, [1-9]\d* of it cached/); // of the template's beginning at least: it leaves earlier thinking out
    await terminal.sees(/> /);
    terminal.type("one\\\r");
    await terminal.sees(/\. /);
    terminal.type("two\r");
    await terminal.sees(/of it cached/);
    await terminal.sees(/> /);
    terminal.type("/undo\r");
    await terminal.sees(/taken back/);
    terminal.type("/adapter nice\r");
    await terminal.sees(/there is no adapter "nice"; there are polite, and none/);
    terminal.type("/adapter none\r");
    await terminal.sees(/no adapter acts/);
    terminal.type(`/save ${folder.file("saved.json")}\r`);
    await terminal.sees(/4 messages written/);
    terminal.type("\u001b[A\r"); // the same again, from the history
    await terminal.sees(/4 messages written/);
    expect(questions(folder.file("saved.json"))).toEqual(["hello world", "pasted one\npasted two"]);
    expect(contents(folder.file("saved.json"))[1]).toMatch(/^<think>\n/);
    terminal.type("/exit\r");
    expect(await terminal.status()).toBe(0);
  }, 240_000);

  it("Ctrl-C ends an answer and not the program, empties a line, and on an empty one ends the chat", async () => {
    using terminal = new PseudoTerminal([...greedy, "--max_new_tokens", "4000"], { NO_COLOR: "1" });
    await terminal.sees(/> /);
    terminal.type("go on\r");
    await terminal.sees(/<think>\r\n[^]{20}/);
    terminal.type("typed meanwhile"); // is not in the answer, and stands at the next prompt
    terminal.type("\u0003");
    const rest = await terminal.sees(/stopped after \d+ tokens\r\n[^]*> typed meanwhile/);
    expect(rest.indexOf("typed")).toBeGreaterThan(rest.indexOf("stopped"));
    terminal.type("\u0003");
    await terminal.sees(/> /);
    terminal.type("x".repeat(8000) + "\r"); // more than there is room for
    await terminal.sees(/kto: error\[CONFIG\]: prompt: it fills the context/);
    await terminal.sees(/> /);
    terminal.type("draft");
    await terminal.sees(/draft/);
    terminal.type("\u0003");
    await terminal.sees(/> /);
    terminal.type(`/save ${folder.file("stopped.json")}\r`);
    await terminal.sees(/2 messages written/);
    await terminal.sees(/> /);
    terminal.type("\u0003");
    expect(await terminal.status()).toBe(0);
    expect(questions(folder.file("stopped.json"))).toEqual(["go on"]);
    expect(terminal.screen).not.toMatch(/\u001b\[[0-9;]*[1-9]m/);
  }, 240_000);
});

describe("without a terminal", () => {
  const chat = (lines: string, ...flags: string[]): Promise<Outcome> =>
    kto([...greedy, "--max_new_tokens", "4", ...flags], { stdin: Readable.from([lines]) });

  it("lines are turns, answers go to stdout and nothing else, and a conversation goes on", async () => {
    const template = ["--chat_template", "chatml"];
    const saved = folder.file("piped.json");
    const whole = await chat(`/system be brief\none\n\n"""two\nthree"""\n/save ${saved}\n`, ...template);
    expect(whole.status, whole.stderr).toBe(0);
    expect(contents(saved).filter((_, index) => index % 2 === 1)).toEqual(["one", "two\nthree"]);
    const answers = messagesOf(saved).filter(({ role }) => role === "assistant");
    expect(whole.stdout).toBe(answers.map(({ content }) => `${content}\n`).join(""));
    const cached = [...whole.stderr.matchAll(/prompt (\d+), (\d+) of it cached/g)].map(([, prompt, held]) => [
      Number(prompt),
      Number(held),
    ]);
    expect(cached).toHaveLength(2);
    expect(cached[1]![1]).toBeGreaterThanOrEqual(cached[0]![0]!); // all of the first prompt
    expect(whole.stdout + whole.stderr).not.toContain("\u001b");
    const [system, one, answer, two] = messagesOf(saved);
    writeFileSync(folder.file("begun.json"), JSON.stringify([system, one, answer, two]));
    const next = await chat("", ...template, "--messages", folder.file("begun.json"), "--quiet");
    expect(next).toMatchObject({ status: 0, stdout: `${answers[1]!.content}\n`, stderr: "" });
  });

  it("a turn that cannot be answered ends it, and no file is written over", async () => {
    writeFileSync(folder.file("mine.txt"), "mine");
    const outcome = await chat(`/save ${folder.file("mine.txt")}\n/adaptor\n/adapter\n${"word ".repeat(5000)}\nnever`);
    expect(outcome).toMatchObject({ status: 2, stdout: "" });
    expect(outcome.stderr).toMatch(
      /is there already; give another name\n.*did you mean \/adapter\?\nthere are none \(--adapter\); no adapter acts\n/,
    );
    expect(errorLinesOf(outcome)).toEqual([expect.stringMatching(/prompt: it fills the context/)]);
    expect(readFileSync(folder.file("mine.txt"), "utf8")).toBe("mine");
  });

  it("an interruption ends it with status 130", async () => {
    const interrupted = new AbortController();
    const stdin = new Readable({ read: () => undefined });
    stdin.push("hello\n");
    const outcome = await kto([...greedy, "--max_new_tokens", "4"], {
      stdin,
      signal: interrupted.signal,
      onStdout: () => interrupted.abort(new Error("SIGTERM")),
    });
    expect(outcome.status).toBe(130);
    expect(outcome.stderr).toContain("kto: interrupted; the conversation is not saved");
  });
});

describe("what is wrong is said before a device is looked for", () => {
  it.each<[string, string[], RegExp]>([
    ["two adapters of one name", ["--adapter", "a/x", "--adapter", "b/x"], /two are named "x"/],
    ["one named like the base", ["--adapter", "model=a/x"], /"model" is the base model's name/],
    ["--json", ["--json"], /a chat has no JSON/],
    ["no such messages", ["--messages", "none.json"], /ENOENT/],
    ["top_p", ["--top_p", "2"], /--top_p: not usable/],
  ])("%s", async (_what, flags, says) => {
    const outcome = await kto(["chat", "--model", model, ...flags], { env: { KTO_DEVICE: "gpu", VK_DRIVER_FILES: "" } });
    expect(errorLinesOf(outcome)).toEqual([expect.stringMatching(says)]);
    expect(outcome.status).toBe(2);
  });
});
