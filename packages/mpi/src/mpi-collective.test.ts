import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { RanksError } from "@kto/core";
import { MpiCollective, mpiCollective } from "./mpi-collective.js";
import { onAll } from "./testing/mpi-in-process.js";

const ranks = <T>(size: number, body: (collective: MpiCollective) => Promise<T>): Promise<T[]> =>
  onAll(size, (mpi) => body(new MpiCollective(mpi)));

const outcome = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

it("a process that no launcher started is a run of one rank, and loads no library", async () => {
  const collective = mpiCollective({ env: { KTO_LIBMPI: "/no/such/libmpi.so" } });
  expect(collective).toMatchObject({ rank: 0, size: 1, localRank: 0, localSize: 1, library: undefined });
  expect(await collective.gather([1, 2])).toEqual([[1, 2]]);
  expect(await collective.gatherTexts("a")).toEqual(["a"]);
  const numbers = Float32Array.of(1, 2);
  await collective.sum(numbers);
  expect(numbers).toEqual(Float32Array.of(1, 2));
  await collective.end();
  if (process.platform === "linux") expect(readFileSync("/proc/self/maps", "utf8")).not.toMatch(/libmpi/);
});

it("several ranks without libmpi are an error that says what was tried and what to install", () => {
  const env = { OMPI_COMM_WORLD_SIZE: "2", OMPI_COMM_WORLD_RANK: "0", KTO_LIBMPI: "/no/such/libmpi.so" };
  expect(() => mpiCollective({ env })).toThrow(
    /^mpi: there is no libmpi; expected that of the launcher, got none of \/no\/such\/libmpi\.so \(.+\); install it \(on Debian: apt-get install openmpi-bin\), or name the file in KTO_LIBMPI$/,
  );
});

it("gathers numbers and texts, of which each rank may have another count, in one order on all", async () => {
  const gathered = await ranks(3, async (collective) => [
    await collective.gather(Array.from({ length: collective.rank }, () => 0.1 + collective.rank)),
    await collective.gatherTexts("é".repeat(collective.rank)),
  ]);
  for (const of of gathered)
    expect(of).toEqual([
      [[], [1.1], [2.1, 2.1]],
      ["", "é", "éé"],
    ]);
});

it("calls that are made before earlier ones are done come in their order", async () => {
  const sums = await ranks(2, async (collective) => {
    const [a, b] = [Float32Array.of(1), Float32Array.of(collective.rank)];
    const [, gathered] = await Promise.all([collective.sum(a), collective.gather([collective.rank]), collective.sum(b)]);
    return [a[0], b[0], gathered];
  });
  expect(sums).toEqual(Array.from({ length: 2 }, () => [2, 1, [[0], [1]]]));
});

it("a rank that gives up is heard by those who wait for it, and by their later calls", async () => {
  const outcomes = await ranks(3, async (collective) => {
    if (collective.rank === 1) return collective.fail({ text: "the disk is full", status: 1 });
    const first = await outcome(collective.sum(Float32Array.of(1)));
    expect(await outcome(collective.gather([1]))).toBe(first);
    return first;
  });
  const failures = [{ rank: 1, text: "the disk is full", status: 1 }];
  expect(outcomes[1]).toEqual(failures);
  for (const other of [outcomes[0], outcomes[2]]) {
    expect(other).toBeInstanceOf(RanksError);
    expect(other).toMatchObject({ code: "RANKS", failures });
  }
});

it("of several that give up at once all hear of all", async () => {
  const outcomes = await ranks(3, async (collective) =>
    collective.rank === 1 ? outcome(collective.gather([])) : collective.fail({ text: `rank ${collective.rank} is out`, status: 2 }),
  );
  const failures = [0, 2].map((rank) => ({ rank, text: `rank ${rank} is out`, status: 2 }));
  expect(outcomes[0]).toEqual(failures);
  expect(outcomes[1]).toMatchObject({ failures });
  expect(outcomes[2]).toEqual(failures);
});

it("ranks that come for different things are told so, all of them, and nothing is mixed", async () => {
  const numbers = [Float32Array.of(1, 2), Float32Array.of(1, 2, 3)];
  const lengths = await ranks(2, async (collective) => outcome(collective.sum(numbers[collective.rank]!)));
  for (const error of lengths)
    expect((error as Error).message).toMatch(/what rank 0 came for, sum of 2 in round 0, got sum of 3 in round 0 on rank 1/);
  const calls = await ranks(2, async (collective) => outcome(collective.rank === 0 ? collective.gather([1]) : collective.end()));
  for (const error of calls) expect((error as Error).message).toMatch(/gather of 8 in round 0, got end of 0 in round 0 on rank 1/);
});
