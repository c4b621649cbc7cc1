import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { kto } from "../testing/run-kto.js";
import { Console } from "./console.js";
import { progressLine } from "./progress-line.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A console on a terminal that shows what was written to it, as far as bars go: rows that were broken are one. */
function terminal({ columns = 80, isTTY = true, env = {} }: { columns?: number; isTTY?: boolean; env?: Record<string, string> } = {}) {
  const sink = { columns, isTTY, written: [] as string[], write: (part: string) => void sink.written.push(part) };
  const screen = (): string[] => {
    let text = "";
    for (const part of sink.written.join("").split(/(\r\u001b\[J)/)) text = part === "\r\u001b[J" ? text.slice(0, text.lastIndexOf("\n") + 1) : text + part; // prettier-ignore
    return text.replaceAll(/\u001b\[[\d;?]*[A-Za-z]/g, "").split("\n");
  };
  return { sink, screen, console: new Console({ stdout: sink, stderr: sink, env }, { quiet: false }) };
}

it("a bar is there after two seconds, tells how far it is and what is left, and goes when all is done", () => {
  const { sink, screen, console } = terminal();
  const progress = console.progress("tokenizing", "rows");
  for (let second = 0; second < 2; second++) {
    progress.update({ done: 100 * second, total: 1000 });
    vi.advanceTimersByTime(900);
  }
  expect(sink.written).toEqual([]);
  vi.advanceTimersByTime(200);
  progress.update({ done: 200, total: 1000 });
  vi.advanceTimersByTime(500);
  expect(screen()).toEqual(["tokenizing:  20% ██░░░░░░░░ 200/1000 [00:02<00:08, 100 rows/s]"]);
  progress.stop();
  expect(screen()).toEqual([""]);
  expect(vi.getTimerCount()).toBe(0); // or the process would not end
});

it("work of less than two seconds shows nothing, in a terminal and elsewhere", () => {
  for (const isTTY of [true, false]) {
    const { sink, console } = terminal({ isTTY });
    const progress = console.progress("weights", "bytes");
    progress.update({ done: 1e6, total: 2e6 });
    vi.advanceTimersByTime(1900);
    progress.update({ done: 2e6, total: 2e6 });
    progress.stop();
    expect(sink.written).toEqual([]);
  }
});

it("the clock goes on while nothing is told, and lines are written above", () => {
  const { screen, console } = terminal();
  using progress = console.progress("step", "updates");
  progress.update({ done: 0, total: 3, text: "" });
  vi.advanceTimersByTime(5000);
  expect(screen()).toEqual(["step:   0% ░░░░░░░░░░ 0/3 [00:05<?]"]);
  console.line("a line");
  console.warn("careful");
  expect(screen()).toEqual(["a line", "warning: careful", "step:   0% ░░░░░░░░░░ 0/3 [00:05<?]"]);
});

it("is one line: what began last stands over what it is a part of, which comes back", () => {
  const { screen, console } = terminal();
  using steps = console.progress("step", "updates");
  steps.update({ done: 1, total: 2, text: "loss 0.5" });
  vi.advanceTimersByTime(3000);
  const evaluation = console.progress("evaluating", "rows");
  evaluation.update({ done: 10, total: 100 });
  expect(screen()).toEqual([expect.stringMatching(/^step:/)]); // until that has taken two seconds
  vi.advanceTimersByTime(2500);
  expect(screen()).toEqual([expect.stringMatching(/^evaluating: +10%/)]);
  evaluation.stop();
  expect(screen()).toEqual([expect.stringMatching(/^step: +50%/)]);
  console.end();
  expect(screen()).toEqual([""]);
});

it("keeps to the window, also when that gets narrower: rows into which the line was broken are taken away", () => {
  const { sink, screen, console } = terminal({ columns: 60 });
  using progress = console.progress("a name that is rather long for its window", "rows");
  progress.update({ done: 1, total: 3 });
  vi.advanceTimersByTime(2500);
  expect(screen().at(-1)!.length).toBeLessThanOrEqual(59);
  sink.columns = 20;
  vi.advanceTimersByTime(1000);
  const moves = sink.written.filter((part) => /\u001b\[\d+A/.test(part));
  expect(moves).toEqual([expect.stringMatching(/^\u001b\[2A\r\u001b\[J/)]);
  expect(screen().at(-1)!.length).toBeLessThanOrEqual(19);
});

it("without a terminal, or with a dumb one: a line every five seconds, and no character that moves anything", () => {
  for (const of of [{ isTTY: false }, { isTTY: true, env: { TERM: "dumb" } }]) {
    const { sink, console } = terminal(of);
    using progress = console.progress("weights", "bytes");
    for (let second = 0; second <= 12; second++) {
      progress.update({ done: second * 1e8, total: 2e9 });
      vi.advanceTimersByTime(1000);
    }
    expect(sink.written).toEqual([
      "weights:  25% 500M/2.00G [00:05<00:15, 100MB/s]\n",
      "weights:  50% 1.00G/2.00G [00:10<00:10, 100MB/s]\n",
    ]);
  }
});

it("no bar beside results that come line by line into the same terminal", () => {
  const { sink, console } = terminal();
  console.progress("scoring", "rows", { results: sink }).update({ done: 1, total: 2 });
  vi.advanceTimersByTime(6000);
  expect(sink.written).toEqual([]);
});

it("what is resumed counts for the share and not for the speed", () => {
  const { screen, console } = terminal();
  using progress = console.progress("step", "updates");
  progress.update({ done: 100, total: 110 });
  vi.advanceTimersByTime(4000);
  progress.update({ done: 104, total: 110 });
  vi.advanceTimersByTime(500);
  expect(screen()).toEqual(["step:  94% █████████░ 104/110 [00:04<00:06, 1.0 updates/s]"]);
});

it.each([12, 20, 40, 80, 200])("a line is never wider than %i columns", (width) => {
  for (const text of [undefined, "loss 0.6931 margin -0.0123 812 tok/s 1.61 GiB"])
    for (const bar of [true, false]) {
      const line = progressLine({ name: "step", unit: "updates", done: 99_999, total: 100_000, elapsedMs: 9e8, perSecond: 0.1, text }, width, { bar }); // prettier-ignore
      expect(line.length).toBeLessThanOrEqual(width);
    }
});

it("in a narrow window the time that is left stays longer than the share", () => {
  const state = { name: "tokenizing", unit: "rows", done: 800, total: 400_000, elapsedMs: 6000, perSecond: 133 };
  expect(progressLine(state, 55, { bar: true })).toBe("tokenizing:   0% 800/400000 [00:06<50:01, 133 rows/s]");
  expect(progressLine(state, 40, { bar: true })).toBe("tokenizing: 800/400000 [00:06<50:01, 13…");
});

it("a command that fails leaves no bar", async () => {
  vi.useRealTimers();
  const { stderr } = await kto(["data", "no-such.jsonl"], { terminal: { isTTY: true, columns: 80 } });
  expect(stderr.replaceAll(/\u001b\[[\d;?]*[A-Za-z]/g, "")).toMatch(/^kto: error\[DATA_FILE\].*\n/);
});
