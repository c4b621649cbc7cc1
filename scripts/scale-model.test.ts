import { expect, test } from "vitest";
import { efficiency, paysUpTo, updateTime, type Cluster } from "../bench/scale/model.js";

const cluster: Cluster = {
  bucketBytes: 72 * 2 ** 20,
  computeSeconds: 0.3,
  hiddenSeconds: 0,
  networkBytesPerSecond: 1e9,
  messageSeconds: 0,
  readBytesPerSecond: Infinity,
  writeBytesPerSecond: Infinity,
  addBytesPerSecond: Infinity,
  pieceBytes: 4 * 2 ** 20,
  agreementSeconds: 0,
  spread: 0,
};

test("one rank waits for nothing", () => {
  expect(updateTime(1, cluster)).toEqual({ total: 0.3, host: 0, network: 0, waited: 0 });
});

test("a sum moves twice the bucket but for the own slice, whatever the number of ranks", () => {
  expect(updateTime(2, cluster).network).toBeCloseTo((72 * 2 ** 20) / 1e9, 12);
  expect(updateTime(1024, cluster).network).toBeCloseTo((2 * 72 * 2 ** 20 * (1023 / 1024)) / 1e9, 12);
});

test("the slower of host and network counts, and of the other one piece; what lies under the backward pass does not, but for the last piece", () => {
  const host = { ...cluster, readBytesPerSecond: 5e8 };
  const { network, host: hostSeconds, waited } = updateTime(2, host);
  expect(waited).toBeCloseTo(hostSeconds + network / 18, 12);
  expect(updateTime(2, { ...host, hiddenSeconds: 0.1 }).waited).toBeCloseTo(waited - 0.1, 12);
  expect(updateTime(2, { ...host, hiddenSeconds: 10 }).waited).toBeCloseTo((hostSeconds + network) / 18, 12); // the last piece
});

test("all wait for the slowest: of more ranks it is slower", () => {
  const waitedBy = (size: number): number => updateTime(size, { ...cluster, bucketBytes: 4, spread: 0.1 }).total / 0.3 - 1;
  expect(waitedBy(2)).toBeGreaterThan(0.1 * 0.564); // the mean of the larger of two
  expect(waitedBy(16)).toBeCloseTo(0.1 * 1.766, 1);
  expect(waitedBy(1024)).toBeCloseTo(0.1 * 3.2, 1);
});

test("more ranks are never more efficient, and a slower network ends it earlier", () => {
  const shares = [1, 2, 4, 8, 64].map((size) => efficiency(size, { ...cluster, messageSeconds: 2e-6 }));
  expect(shares).toEqual([...shares].sort((a, b) => b - a));
  const at = (networkBytesPerSecond: number): number => paysUpTo({ ...cluster, networkBytesPerSecond, messageSeconds: 2e-6 });
  expect([at(1.25e8), at(1.25e10)]).toEqual([1, 1024]);
});
