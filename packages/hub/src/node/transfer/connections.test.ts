import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { Connections, forEachOf } from "./connections.js";

it("lets so many work at once and no more, also after failures", async () => {
  const connections = new Connections(3);
  let busy = 0;
  let most = 0;
  const work = async (index: number): Promise<void> => {
    most = Math.max(most, ++busy);
    await sleep(1);
    busy -= 1;
    if (index % 4 === 0) throw new Error("fails");
  };
  const results = await Promise.allSettled(Array.from({ length: 20 }, async (_, index) => connections.use(async () => work(index))));
  expect(most).toBe(3);
  expect(results.filter(({ status }) => status === "rejected")).toHaveLength(5);
  expect(new Connections(Number.NaN).count).toBe(1);
});

it("stops the others when one fails, and throws what failed first", async () => {
  const ended: number[] = [];
  const work = forEachOf([1, 2, 3, 4, 5, 6], 3, undefined, async (item, signal) => {
    if (item === 2) throw new Error("second");
    await sleep(1000, undefined, { signal }).catch(() => {});
    ended.push(item);
  });
  await expect(work).rejects.toThrow("second");
  expect(new Set(ended)).toEqual(new Set([1, 3]));
});

it("rejects with the reason of the signal", async () => {
  const stop = new AbortController();
  const work = forEachOf([1, 2], 2, stop.signal, async (_, signal) => sleep(1000, undefined, { signal }));
  stop.abort(new Error("enough"));
  await expect(work).rejects.toThrow(/^enough$/);
  await expect(forEachOf([1], 1, stop.signal, async () => {})).rejects.toThrow(/^enough$/);
});
