import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { fixturePath } from "@kto/testing/workspace";
import { expect, it } from "vitest";
import { ktoProgram } from "./testing/kto-program.js";
import { PseudoTerminal } from "./testing/pseudo-terminal.js";
import { temporaryFolder } from "./testing/run-kto.js";

const args = ["score", "--model", fixturePath("model"), "--data", fixturePath("kto", "rows.jsonl"), "--per_device_eval_batch_size", "1"];

function start(stdout: "pipe" | number): ChildProcess {
  return spawn(process.execPath, [...ktoProgram, ...args, "--device", "software", "--quiet"], {
    stdio: ["ignore", stdout, "pipe"],
  });
}

async function ended(child: ChildProcess): Promise<{ status: number | null; signal: string | null; stderr: string }> {
  let stderr = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve) => void child.on("close", (status, signal) => resolve({ status, signal, stderr })));
}

it("a reader that leaves after the first line is no failure, and the device's threads end in good order", async () => {
  const child = start("pipe");
  child.stdout!.once("data", () => child.stdout!.destroy());
  expect(await ended(child)).toEqual({ status: 0, signal: null, stderr: "" });
}, 60_000);

it.runIf(existsSync("/dev/full"))(
  "a result that cannot be written is one line and status 1",
  async () => {
    const full = openSync("/dev/full", "w");
    const { status, stderr } = await ended(start(full));
    closeSync(full);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^kto: error\[FILE\]: stdout: the result was not written; .*got ENOSPC; .*\n$/) as string,
    });
  },
  60_000,
);

it("Ctrl-C takes the bar away before it says anything, and leaves the cursor and the line as they were", async () => {
  using folder = temporaryFolder();
  const data = [
    "--model",
    fixturePath("model"),
    "--data",
    fixturePath("kto", "rows.jsonl"),
    "--max_length",
    "64",
    "--token_cache",
    "false",
  ];
  const run = ["--use_peft", "--max_steps", "100000", "--logging_steps", "100000", "--output_dir", folder.file("out")];
  using terminal = new PseudoTerminal(["train", ...data, ...run]);
  await terminal.sees(/step: +\d+% [█░]+ [1-9]\d*\/100000 \[\d\d:\d\d</); // with an update done, there is something to resume from
  terminal.type("\u0003");
  await terminal.sees(/\r\u001b\[Jkto: SIGINT: stopping in good order; once more to stop at once/);
  const end = await terminal.sees(/go on with the same command and --resume_from_checkpoint \S+/);
  expect(await terminal.status()).toBe(130);
  const written = terminal.screen;
  expect(written).not.toContain("\u001b[?25l"); // the cursor is never hidden
  expect(written.lastIndexOf("\u001b[?7h")).toBeGreaterThanOrEqual(written.lastIndexOf("\u001b[?7l"));
  expect(end.slice(end.lastIndexOf("\u001b[J"))).not.toMatch(/step:/);
}, 120_000);
