import { spawn } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { fixturePath, readFixtureJsonl } from "@kto/testing/workspace";
import { loadTokenizer } from "@kto/tokenizer/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ktoProgram } from "./testing/kto-program.js";
import { errorLinesOf, kto, temporaryFolder, type Outcome } from "./testing/run-kto.js";

interface Greedy {
  prompt: { role: string; content: string }[];
  prompt_ids: number[];
  greedy: { ids: number[]; trusted: number };
  "repetition_penalty_1.1": { ids: number[]; trusted: number };
  adapter: { ids: number[]; trusted: number };
}

interface Answer {
  text: string;
  ids: number[];
  prompt_tokens: number;
  new_tokens: number;
  tokens_per_second: number;
  finish_reason: string;
  dropped?: string;
}

const greedy = readFixtureJsonl<Greedy>("generation/greedy.jsonl");
/** An id that is never drawn: nothing ends an answer but its length. */
const noEnd = ["--eos_token_id", "511"];
const model = fixturePath("model");
const tokenizer = await loadTokenizer(model);

let folder: ReturnType<typeof temporaryFolder>;
beforeAll(() => {
  folder = temporaryFolder();
  writeFileSync(folder.file("prompts.jsonl"), greedy.map(({ prompt }) => JSON.stringify({ prompt })).join("\n"));
  writeFileSync(folder.file("messages.json"), JSON.stringify(greedy[0]!.prompt));
});
afterAll(() => folder[Symbol.dispose]());

const generate = (...flags: string[]): Promise<Outcome> => kto(["generate", "--model", model, "--dtype", "float32", ...flags]);
const answersOf = ({ stdout }: Outcome): Answer[] =>
  stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Answer);

describe("greedy ids of every row are transformers'", () => {
  const flags = ["--do_sample", "false", "--max_new_tokens", "64", ...noEnd];
  it.each<[name: "greedy" | "repetition_penalty_1.1" | "adapter", flags: string[]]>([
    ["greedy", ["--per_device_eval_batch_size", "2"]],
    ["repetition_penalty_1.1", ["--repetition_penalty", "1.1"]],
    ["adapter", ["--adapter", fixturePath("lora", "main")]],
  ])("%s", async (name, more) => {
    const outcome = await generate("--data", folder.file("prompts.jsonl"), "--json", ...flags, ...more);
    expect(outcome.status, outcome.stderr).toBe(0);
    const answers = answersOf(outcome);
    expect(answers).toHaveLength(greedy.length);
    for (const [index, { ids, ...answer }] of answers.entries()) {
      const { ids: expected, trusted } = greedy[index]![name];
      expect(ids.slice(0, trusted)).toEqual(expected.slice(0, trusted));
      expect(Object.keys(answer)).toEqual(["text", "prompt_tokens", "new_tokens", "tokens_per_second", "finish_reason"]);
      expect(answer).toMatchObject({ prompt_tokens: greedy[index]!.prompt_ids.length, new_tokens: 64, finish_reason: "length" });
    }
  });
});

describe("one answer", () => {
  it("of a conversation is streamed to stdout, with a note on stderr", async () => {
    const flags = ["--messages", folder.file("messages.json"), "--max_new_tokens", "6", "--seed", "5"];
    const streamed = await generate(...flags);
    const whole = await generate(...flags, "--json");
    const [answer] = answersOf(whole);
    expect(answersOf(whole)).toHaveLength(1);
    expect(streamed).toMatchObject({ status: 0, stdout: `${answer!.text}\n` });
    expect(streamed.stderr).toMatch(/^6 tokens, [\d.]+ tokens\/s, ended by its length, seed 5$/m);
    expect(answer!.prompt_tokens).toBe(greedy[0]!.prompt_ids.length);
  });

  it("of a text goes on with it as it stands, and ends before a stop text", async () => {
    const flags = ["--do_sample", "false", "--max_new_tokens", "8", "--json", "--quiet", ...noEnd];
    const [short] = answersOf(await generate("--prompt", "3 + 4", "=", ...flags));
    const [blank] = answersOf(await generate("--prompt", "3 + 4 = ", ...flags));
    expect(short!.prompt_tokens).toBe(tokenizer.encode("3 + 4 =").length);
    expect(blank!.prompt_tokens).toBe(tokenizer.encode("3 + 4 = ").length);
    const { text } = short!;
    const stop = text.slice(-2, -1);
    const stopped = await generate("--prompt", "3 + 4 =", ...flags, "--stop", stop, "never");
    expect(answersOf(stopped)[0]).toMatchObject({ text: text.slice(0, text.indexOf(stop)), finish_reason: "stop" });
    expect(stopped.stderr).toBe("");
  });

  it("fills max_length together with its prompt at most, and ends at eos_token_id", async () => {
    const flags = ["--messages", folder.file("messages.json"), "--do_sample", "false", "--json", "--quiet"];
    const [bounded] = answersOf(await generate(...flags, "--max_length", "18", ...noEnd));
    expect(bounded).toMatchObject({ prompt_tokens: 15, new_tokens: 3, finish_reason: "length" });
    const [ended] = answersOf(await generate(...flags, "--max_length", "18", "--eos_token_id", "511", String(bounded!.ids[1])));
    expect(ended).toMatchObject({ ids: bounded!.ids.slice(0, 2), finish_reason: "stop" });
  });
});

it("an adapter of another model is refused in one line, and nothing is generated", async () => {
  cpSync(fixturePath("lora", "main"), folder.file("other"), { recursive: true });
  const config = JSON.parse(readFileSync(folder.file("other", "adapter_config.json"), "utf8")) as { r: number };
  writeFileSync(folder.file("other", "adapter_config.json"), JSON.stringify({ ...config, r: config.r + 1 }));
  const outcome = await generate("--prompt", "a", "--adapter", folder.file("other"));
  expect(outcome).toMatchObject({ status: 2, stdout: "" });
  expect(errorLinesOf(outcome)).toEqual([expect.stringMatching(/ADAPTER_FILE.*the tensors are not those of this config on this model/)]);
});

describe("rows", () => {
  it("of several kinds are answered in their order; what cannot be answered says why in its place", async () => {
    const long = Array.from({ length: 40 }, () => "one two").join(" ");
    const rows = [{ prompt: "1 + 1 =" }, { prompt: long }, { prompt: [] }, { prompt: greedy[1]!.prompt }];
    writeFileSync(folder.file("mixed.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
    const outcome = await generate("--data", folder.file("mixed.jsonl"), "--max_length", "50", "--max_new_tokens", "2");
    expect(outcome.status, outcome.stderr).toBe(0);
    const answers = answersOf(outcome);
    expect(answers.map(({ dropped }) => dropped)).toEqual([
      undefined,
      expect.stringMatching(/^the prompt fills max_length: \d+ of 50 tokens$/),
      "the prompt is a conversation without a message",
      undefined,
    ]);
    expect(answers[3]!.prompt_tokens).toBe(greedy[1]!.prompt_ids.length);
    expect(outcome.stderr).toContain("answered 2 rows, dropped 2");
  });

  it("that are printed stay when the rest is interrupted", async () => {
    const interrupted = new AbortController();
    const reason = new Error("Ctrl-C");
    let stdout = "";
    const outcome = await kto(
      [
        "generate",
        "--model",
        model,
        "--data",
        folder.file("prompts.jsonl"),
        "--per_device_eval_batch_size",
        "1",
        ...noEnd,
        "--max_new_tokens",
        "20",
      ],
      {
        signal: interrupted.signal,
        onStdout: (text) => {
          stdout += text;
          interrupted.abort(reason);
        },
      },
    );
    expect(outcome.status).toBe(130);
    expect(stdout.trimEnd().split("\n")).toHaveLength(1);
    expect(outcome.stderr).toContain("kto: interrupted; the rows that are printed are done");
  });

  it("a reader that leaves after the first line is no failure", async () => {
    const flags = ["--data", folder.file("prompts.jsonl"), "--device", "software", "--max_new_tokens", "4", "--quiet"];
    const child = spawn(process.execPath, [...ktoProgram, "generate", "--model", model, ...flags], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.stdout.once("data", () => child.stdout.destroy());
    const status = await new Promise((resolve) => void child.on("close", resolve));
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  }, 60_000);
});
