import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { fixturePath } from "@kto/testing";
import { expect, it } from "vitest";
import { ktoProgram } from "./testing/kto-program.js";

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
