import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { kto, temporaryFolder, type Outcome } from "./testing/run-kto.js";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
  for (const name of ["first", "second"]) writeRun(name);
});
afterEach(() => folder[Symbol.dispose]());

function writeRun(name: string): void {
  mkdirSync(folder.file("runs", name), { recursive: true });
  writeFileSync(folder.file("runs", name, "metrics.jsonl"), '{"step": 1, "loss": NaN}\n{"step": 2, "loss": 0.4}\n{"st');
}

/** Runs `kto ui` until `use` is done with what it listens on. */
async function during(argv: readonly string[], use: (url: string) => Promise<void>): Promise<Outcome> {
  const end = new AbortController();
  let listening: (url: string) => void = () => {};
  const url = new Promise<string>((resolve) => (listening = resolve));
  const onStdout = (text: string): void => void (text.startsWith("listening on ") && listening(text.slice("listening on ".length).trim()));
  const outcome = kto(["ui", ...argv], { signal: end.signal, onStdout });
  try {
    await use(await url);
  } finally {
    end.abort(new Error("stop"));
  }
  return await outcome;
}

/** The first events of a page that shows these runs: what is listed, and the state of each. */
async function stateOf(url: string, ...runs: string[]): Promise<Record<string, unknown>[]> {
  const { origin, searchParams } = new URL(url);
  const headers = { authorization: `Bearer ${searchParams.get("token")}` };
  const { body } = await fetch(`${origin}/events?${new URLSearchParams(runs.map((name) => ["run", name]))}`, { headers });
  const events: Record<string, unknown>[] = [];
  let text = "";
  for await (const bytes of body!) {
    text += new TextDecoder().decode(bytes);
    const whole = text.split("\n\n");
    text = whole.pop()!;
    events.push(...whole.map((one) => JSON.parse(one.slice(6)) as Record<string, unknown>));
    if (events.filter(({ type }) => type === "status").length === runs.length) break;
  }
  return events;
}

/** What was said, however its lines were broken. */
const unwrapped = (text: string): string => text.replaceAll(/\s+/g, " ");

/** A port that is taken. */
async function takenPort(): Promise<Server & AsyncDisposable> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

describe("kto ui", () => {
  it("serves a folder of runs until it is stopped: whose process is gone, which is finished, which goes on", async () => {
    writeFileSync(folder.file("runs", "first", ".kto.lock"), JSON.stringify({ pid: 2 ** 22 + 1, started: "1" }));
    writeFileSync(folder.file("runs", "second", ".kto.lock"), JSON.stringify({ pid: process.pid, started: null }));
    const { status, stdout, stderr } = await during([folder.file("runs"), "--port", "0"], async (url) => {
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{22}$/);
      const events = await stateOf(url, "first", "second");
      expect(events[0]).toEqual({
        type: "list",
        runs: [
          { name: "first", state: "interrupted", canControl: false },
          { name: "second", state: "training", canControl: false },
        ],
      });
      expect(events.find(({ type }) => type === "run")).toMatchObject({
        run: {
          lastStep: 2,
          series: [{ name: "loss", values: [null, 0.4] }],
          problems: ["metrics.jsonl: the last line is cut off and was left out"],
        },
      });
      expect(events.filter(({ type }) => type === "status").map(({ status: said }) => (said as { message: string }).message)).toEqual([
        `process ${2 ** 22 + 1} worked in it; there is no checkpoint to go on from`,
        `process ${process.pid} of this machine works in it`,
      ]);
      rmSync(folder.file("runs", "second", ".kto.lock"));
      writeFileSync(folder.file("runs", "second", "train_results.json"), "{}");
      writeRun("third"); // and one more begins
      const later = await stateOf(url, "second");
      expect((later[0] as { runs: unknown[] }).runs).toEqual([
        { name: "first", state: "interrupted", canControl: false },
        { name: "second", state: "finished", canControl: false },
        { name: "third", state: "stopped", canControl: false },
      ]);
    });
    expect({ status, stdout: stdout.split("?")[0] }).toEqual({
      status: 130,
      stdout: expect.stringMatching(/^listening on http/) as string,
    });
    expect(stderr).toMatch(/^shows +first, second\nkto: stopped\n$/);
  });

  it("serves one run", async () => {
    await during([folder.file("runs", "first"), "--port", "0"], async (url) => {
      expect((await stateOf(url, "first"))[0]).toMatchObject({ runs: [{ name: "first", state: "stopped" }] });
    });
  });

  it.each([
    ["no folder", [], "ui: one folder is shown; expected that of a run or of runs, got 0"],
    ["two folders", ["RUNS/first", "RUNS/second"], "ui: one folder is shown; expected that of a run or of runs, got 2"],
    ["a folder that is not there", ["nowhere"], 'ui: "nowhere" is no folder; expected the output_dir of a run, got nothing of that name'],
    ["a folder without runs", ["RUNS/.."], 'the folder is no run and holds none; expected metrics.jsonl or resolved_config.yaml in it, or in the folders in it, got "other", "runs"'], // prettier-ignore
    ["an empty folder", ["RUNS/../other"], "got an empty folder; name the output_dir of a run, or the folder that holds several"],
    ["a port that is none", ["RUNS", "--port", "70000"], "--port: not usable; expected a whole number from 0 to 65535, or null, got 70000"],
  ])("refuses %s", async (_, argv, message) => {
    writeRun("first");
    mkdirSync(folder.file("other"));
    if (argv[0] === "RUNS/..") rmSync(folder.file("runs"), { recursive: true });
    if (argv[0] === "RUNS/..") mkdirSync(folder.file("runs"));
    const given = argv.map((word) => word.replace("RUNS", folder.file("runs")));
    const { status, stdout, stderr } = await kto(["ui", ...given]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(unwrapped(stderr)).toContain(message);
  });

  it("refuses a port in use, as train does before anything else", async () => {
    await using server = await takenPort();
    const { port } = server.address() as AddressInfo;
    const says = `kto: error[SOURCE]: serve: port ${port} of 127.0.0.1 is in use; expected a free one, got EADDRINUSE; choose another port, or 0 for any that is free`;
    const run = ["train", "--model", "nowhere", "--data", "nowhere.jsonl", "--use_peft", `--ui=${port}`];
    for (const argv of [["ui", folder.file("runs"), "--port", String(port)], run]) {
      const { status, stdout, stderr } = await kto(argv);
      expect({ status, stdout, stderr: unwrapped(stderr) }).toEqual({
        status: 2,
        stdout: "",
        stderr: expect.stringContaining(says) as string,
      });
    }
  });
});

describe("kto train --ui", () => {
  it.each([["=70000"], ["=yes please"], ["=-1"]])("refuses %s", async (given) => {
    const { status, stderr } = await kto(["train", `--ui${given}`, "--model", "nowhere", "--data", "nowhere.jsonl", "--use_peft"]);
    expect({ status, stderr: unwrapped(stderr) }).toEqual({
      status: 2,
      stderr: expect.stringContaining("--ui: not usable; expected true, false or an integer from 0 to 65535, got") as string,
    });
  });

  it("says where the page is, also with --quiet, and leaves nothing open when the command fails", async () => {
    const run = ["train", "--model", "nowhere", "--data", "nowhere.jsonl", "--use_peft", "--ui=0", "--quiet"];
    const { status, stdout, stderr } = await kto(run);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    const [, url] = /^the run is shown at (http:\/\/127\.0\.0\.1:\d+\/\?token=\S+)$/m.exec(stderr)!;
    await expect(fetch(url!)).rejects.toThrow("fetch failed");
  });
});
