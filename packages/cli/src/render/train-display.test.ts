import type { LogRecord, TrainLog } from "@kto/trainer";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { RunDisplay } from "../methods/index.js";
import { Console } from "./console.js";
import { TrainDisplay } from "./train-display.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const display: RunDisplay = {
  columns: [{ title: "margins", metric: "rewards/margins", width: 9 }],
  bar: { title: "margin", metric: "rewards/margins" },
  evaluation: [],
};

const record = (step: number, loss: number): LogRecord => ({ step, loss, "rewards/margins": step / 10 });

const log = (step: number, loss: number): TrainLog =>
  ({ step, epoch: 0, loss, gradNorm: 1, learningRate: 1e-4, metrics: { "rewards/margins": step / 10 } }) as unknown as TrainLog;

const update = (step: number) =>
  ({
    type: "update",
    step,
    startStep: 0,
    totalUpdates: 10,
    numTokens: 100 * step,
    elapsedMs: 1000 * step,
    gpuMemoryBytes: 2 ** 20,
  }) as const;

/** A display, and the lines that were written, without escape sequences. */
function shown(stderr: { isTTY?: boolean; columns?: number }): { train: TrainDisplay; lines(): string[] } {
  let text = "";
  const sink = { ...stderr, write: (part: string) => (text += part) };
  return {
    train: new TrainDisplay(new Console({ stdout: sink, stderr: sink, env: { NO_COLOR: "1" } }, { quiet: false }), display),
    lines: () => text.replaceAll(/\u001b\[[\d;?]*[A-Za-z]/g, "").split(/[\r\n]+/),
  };
}

it.each([40, 80, 200])("ends in curves as wide as a terminal of %i columns, with evaluations marked", (columns) => {
  const { train, lines } = shown({ isTTY: true, columns });
  const history = Array.from({ length: 50 }, (_, index) => record(index + 1, 1 / (index + 1)));
  train.finish([...history, { step: 20, eval_loss: 0.3 }], 1000, "outputs", "adapter");
  expect(lines()).toContain("loss 1 → 0.02 o evaluation");
  expect(lines()).toContain("margin 0.1 → 5");
  const axes = lines().filter((line) => line.includes("└ step 1 ─"));
  expect(axes.map((line) => line.length)).toEqual([columns - 1, columns - 1]);
  for (const axis of axes) expect(axis).toMatch(/─ 50$/);
  expect(lines().filter((line) => /[┤│].*o/.test(line))).toHaveLength(1);
});

it("elsewhere a metric is a line, without what a log would not want", () => {
  const { train, lines } = shown({});
  train.finish([record(1, 1), record(2, 0.5), record(3, 0)], 1000, "outputs", "adapter");
  expect(lines().slice(1, 3)).toEqual(["loss       1 → 0 █▅▁", "margin     0.1 → 0.3 ▁▅█"]);
  expect(lines().join("")).not.toMatch(/[┤└⠀-⣿]/);
});

it("of one step there is no curve; values that are no number are counted, all of them too", () => {
  const one = shown({ isTTY: true, columns: 80 });
  one.train.finish([record(1, 1)], 1000, "outputs", "adapter");
  expect(one.lines().join("\n")).not.toMatch(/loss|margin/);
  const some = shown({ isTTY: true, columns: 80 });
  some.train.finish([record(1, 1), record(2, NaN), record(3, 0.5), record(4, Infinity)], 1000, "outputs", "adapter");
  expect(some.lines()).toContain("loss 1 → 0.5, 2 of 4 values are no number");
  const none = shown({});
  none.train.finish([record(1, NaN), record(2, NaN)], 1000, "outputs", "adapter");
  expect(none.lines()).toContain("loss       none of 2 values is a number");
});

it("the bar is there before the first update, has loss and margin from the first log on, and a curve where there is room", () => {
  const { train, lines } = shown({ isTTY: true, columns: 120 });
  train.begin(0, 10);
  vi.advanceTimersByTime(2500);
  expect(lines().at(-1)).toMatch(/^step: {3}0% ░+ 0\/10 \[00:02<\?\]$/);
  for (const step of [1, 2, 3]) {
    train.show(update(step));
    train.show({ type: "log", log: log(step, 1 / step) });
    vi.advanceTimersByTime(1000);
  }
  train.show(update(4));
  vi.advanceTimersByTime(500);
  expect(lines().at(-1)).toMatch(/^step: {2}40% █+░+ 4\/10 \[00:0\d<00:0\d, loss 0\.333 █▃▁ margin 0\.3 100 tok\/s 1\.00 MiB\]$/);
  train.stop();
  expect(lines().at(-1)).toBe("");
});

it("an evaluation has a bar of its own over that of the updates, and so has the reference, whose time is not theirs", () => {
  const { train, lines } = shown({ isTTY: true, columns: 80 });
  train.begin(0, 10);
  train.show({ type: "precompute", done: 1, total: 2 });
  vi.advanceTimersByTime(9000);
  train.show({ type: "precompute", done: 1, total: 2 });
  expect(lines().at(-1)).toMatch(/^reference: +50%/);
  train.show({ type: "precompute", done: 2, total: 2 });
  vi.advanceTimersByTime(4000);
  train.show(update(1));
  vi.advanceTimersByTime(500);
  expect(lines().at(-1)).toMatch(/^step: +10% .*\[00:04<00:3\d, 100 tok/);
  train.show({ type: "evaluateProgress", done: 1, total: 4 });
  vi.advanceTimersByTime(3000);
  expect(lines().at(-1)).toMatch(/^evaluating: +25%/);
  train.show({ type: "evaluate", record: { eval_loss: 0.5 } });
  expect(lines().at(-1)).toMatch(/^step:/);
  train.stop();
});

it("the table has as many columns as the window, and its head once more when that changes", () => {
  const narrow = shown({ isTTY: true, columns: 40 });
  narrow.train.show({ type: "log", log: log(1, 0.5) });
  narrow.train.show({ type: "log", log: log(2, 0.5) });
  expect(narrow.lines()).toEqual([
    "  step  epoch     loss grad_norm",
    "     1  0.000  0.50000         1",
    "     2  0.000  0.50000         1",
    "",
  ]);
  const piped = shown({});
  piped.train.show({ type: "log", log: log(1, 0.5) });
  expect(piped.lines()[0]).toMatch(/margins$/);
});
