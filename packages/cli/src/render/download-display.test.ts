import type { FileProgress } from "@kto/hub/node";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Console } from "./console.js";
import { DownloadDisplay } from "./download-display.js";
import { formatClock, formatSize, progressLine } from "./progress-line.js";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout", "Date"] }));
afterEach(() => void vi.useRealTimers());

/** A display on a recorder, and what was written to it. */
function display({ quiet = false, isTTY = false, columns = 200, env = {} } = {}): { shown: DownloadDisplay; text(): string } {
  let text = "";
  const sink = { write: (part: string) => (text += part), isTTY, columns };
  return { shown: new DownloadDisplay(new Console({ stdout: sink, stderr: sink, env }, { quiet })), text: () => text };
}

const event = (state: FileProgress["state"], loadedBytes: number, more: Partial<FileProgress> = {}): FileProgress => ({
  type: "file",
  repo: "owner/name",
  name: "model.safetensors",
  state,
  loadedBytes,
  totalBytes: 1_810_000_000,
  bytesPerSecond: 37_700_000,
  ...more,
});

/** A file that takes 48 seconds. */
function download(shown: DownloadDisplay, more: Partial<FileProgress> = {}): void {
  shown.show(event("start", 0, more));
  for (let second = 1; second < 48; second++) {
    vi.advanceTimersByTime(1000);
    shown.show(event("progress", second * 37_700_000, more));
  }
  vi.advanceTimersByTime(1000);
  shown.show(event("done", 1_810_000_000, more));
}

it("prints sizes and times as Python's progress bars do", () => {
  expect([0, 231, 6770, 11_400_000, 37_700_000, 999_600, 1_810_000_000].map(formatSize)).toEqual("0 231 6.77k 11.4M 37.7M 1.00M 1.81G".split(" ")); // prettier-ignore
  expect([0, 42, 3723, Infinity].map(formatClock)).toEqual(["00:00", "00:42", "1:02:03", "?"]);
  const transfer = { name: "model.safetensors", unit: "bytes", done: 1.81e9, total: 1.81e9, elapsedMs: 42_000, perSecond: 37.7e6 };
  expect(progressLine(transfer, 80)).toBe("model.safetensors: 100% 1.81G/1.81G [00:42<00:00, 37.7MB/s]");
  expect(progressLine({ ...transfer, done: 0, perSecond: 0 }, 80)).toBe("model.safetensors:   0% 0/1.81G [00:42<?, ?B/s]");
  expect(progressLine({ ...transfer, done: 0.9e9 }, 80, { bar: true })).toBe("model.safetensors:  49% ████░░░░░░ 900M/1.81G [00:42<00:24, 37.7MB/s]"); // prettier-ignore
});

it.each([80, 60, 50])("keeps to %i columns, and cuts a long name in the middle", (width) => {
  for (const name of ["a", "model-00001-of-00002.safetensors", `data/${"x".repeat(200)}-00000-of-00001.parquet`]) {
    const transfer = { name, unit: "bytes", done: 555_555_555, total: 1.81e12, elapsedMs: 360_000_000, perSecond: 123 };
    for (const bar of [true, false]) expect(progressLine(transfer, width, { bar }).length).toBeLessThanOrEqual(width);
  }
  expect(progressLine({ name: "x".repeat(99), unit: "bytes", done: 0, total: 1, elapsedMs: 0, perSecond: 0 }, width)).toMatch(/^x+…x+: /);
});

it("without a terminal: a line every few seconds, and one for a finished file", () => {
  const { shown, text } = display();
  download(shown);
  const lines = text().trimEnd().split("\n");
  expect(lines).toHaveLength(10);
  expect(lines[0]).toBe("model.safetensors:  10% 189M/1.81G [00:05<00:43, 37.7MB/s]");
  expect(lines.at(-1)).toBe("model.safetensors: 100% 1.81G/1.81G [00:48<00:00, 37.7MB/s]");
});

it("without a terminal: several files at once are one line", () => {
  const { shown, text } = display();
  shown.show(event("start", 0));
  shown.show(event("start", 0, { name: "tokenizer.json", totalBytes: 190_000_000 }));
  vi.advanceTimersByTime(6000);
  shown.show(event("progress", 1_000_000_000));
  expect(text()).toBe("2 files:  50% 1.00G/2.00G [00:06<00:13, 75.4MB/s]\n");
});

it("what an earlier run fetched counts for the share, not for the speed", () => {
  const { shown, text } = display();
  shown.show(event("start", 1_000_000_000));
  vi.advanceTimersByTime(3000);
  shown.show(event("done", 1_810_000_000));
  expect(text()).toBe("model.safetensors: 100% 1.81G/1.81G [00:03<00:00, 270MB/s]\n");
});

it("tells of another attempt, and nothing of what was in the cache", () => {
  const { shown, text } = display();
  shown.show(event("cached", 10));
  shown.show(event("retry", 10, { reason: "the connection was cut", delayMs: 1500 }));
  expect(text()).toBe("model.safetensors: the connection was cut; trying again in 1.5 s\n");
  expect(shown.counts).toEqual({ fetched: 0, cached: 1 });
});

it("in a terminal: a line that moves, and one that stays for a finished file", () => {
  const { shown, text } = display({ isTTY: true, columns: 70, env: { NO_COLOR: "1" } });
  download(shown);
  shown.stop();
  const written = text().replaceAll(/\u001b\[[\d;?]*[A-Za-z]/g, "\r");
  expect(written).toContain("model.safetensors:  49% ████░░░░░░ 905M/1.81G [00:24<00:24, 37.7MB/s]");
  expect(written.match(/^.*100%.*$/gm)).toEqual([expect.stringContaining("model.safetensors: 100% 1.81G/1.81G [00:48<00:00, 37.7MB/s]")]);
  for (const line of written.split(/[\r\n]/)) expect(line.length).toBeLessThanOrEqual(70);
  expect(vi.getTimerCount()).toBe(0); // or the process would not end
});

it("a push shows that a file is read for its checksum, and then its transfer from its own start on", () => {
  const { shown, text } = display();
  shown.show(event("hashing", 400_000_000, { bytesPerSecond: 80_000_000 }));
  vi.advanceTimersByTime(6000);
  shown.show(event("hashing", 905_000_000, { bytesPerSecond: 90_500_000 }));
  shown.show(event("start", 0));
  vi.advanceTimersByTime(3000);
  shown.show(event("done", 1_810_000_000));
  expect(text().split("\n")).toEqual([
    "hashing model.safetensors:  50% 905M/1.81G [00:06<00:10, 90.5MB/s]",
    "model.safetensors: 100% 1.81G/1.81G [00:03<00:00, 603MB/s]",
    "",
  ]);
});

it("is silent when told to be", () => {
  const { shown, text } = display({ quiet: true, isTTY: true });
  download(shown);
  expect(text()).toBe("");
});
