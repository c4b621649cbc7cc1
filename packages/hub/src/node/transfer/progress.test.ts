import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { FileProgress } from "../options.js";
import { ProgressReport } from "./progress.js";

let events: FileProgress[];
let report: ProgressReport;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
  events = [];
  report = new ProgressReport((event) => events.push(event), "owner/name", "model.safetensors", 10_000);
});
afterEach(() => vi.useRealTimers());

it("reports ten times a second at most, with the bytes of earlier runs and the speed of the last seconds", () => {
  report.start(2_000);
  for (let i = 0; i < 50; i++) {
    vi.advanceTimersByTime(10);
    report.add(10); // 1,000 bytes a second
  }
  report.done();
  expect(events.map(({ state }) => state)).toEqual(["start", "progress", "progress", "progress", "progress", "progress", "done"]);
  expect(events[0]).toEqual({ type: "file", repo: "owner/name", name: "model.safetensors", state: "start", loadedBytes: 2_000, totalBytes: 10_000, bytesPerSecond: 0 }); // prettier-ignore
  expect(events[1]).toMatchObject({ loadedBytes: 2_100, bytesPerSecond: 1_000 });
  expect(events.at(-1)).toMatchObject({ loadedBytes: 10_000 });
});

it("forgets the speed of long ago", () => {
  report.start(0);
  for (const bytes of [...Array.from({ length: 20 }, () => 100), ...Array.from({ length: 40 }, () => 10)]) {
    vi.advanceTimersByTime(100);
    report.add(bytes);
  }
  expect(events.at(-1)!.bytesPerSecond).toBe(100);
});

it("a transfer that begins again tells so", () => {
  report.waiting();
  report.start(0);
  report.add(100);
  report.retry("cut", 5);
  report.retry("damaged", 0, 0);
  expect(events.map(({ state, loadedBytes, reason, delayMs }) => [state, loadedBytes, reason, delayMs])).toEqual([
    ["waiting", 0, undefined, undefined],
    ["start", 0, undefined, undefined],
    ["retry", 100, "cut", 5],
    ["retry", 0, "damaged", 0],
  ]);
});

it("tells of a file that is read for its checksum, and nothing of one that is read at once", () => {
  report.hashed(100);
  expect(events).toEqual([]);
  for (let step = 1; step <= 20; step++) {
    vi.advanceTimersByTime(25);
    report.hashed(10);
  }
  expect(events.map(({ state, loadedBytes }) => [state, loadedBytes])).toEqual(
    [140, 180, 220, 260, 300].map((bytes) => ["hashing", bytes]),
  );
  expect(events.at(-1)).toMatchObject({ totalBytes: 10_000, bytesPerSecond: 600 });
});
