import { fileURLToPath } from "node:url";
import { mpirun } from "@kto/testing/workspace";
import { expect, it } from "vitest";

const program = (name: string): string => fileURLToPath(new URL(`testing/${name}.ts`, import.meta.url));

interface Rank {
  rank: number;
  sums: { length: number; isRight: boolean }[];
  gathered: number[][];
  ticks: number;
  waitedMs: number;
}

it.each([2, 3])("%i ranks of the library that is here add up in the order of ranks, while the collector runs", async (size) => {
  const lengths = [0, 1, 2, 1001, 2 ** 22 + 5];
  const { status, stdout, stderr } = await mpirun(size, ["--expose-gc", program("sums"), ...lengths.map(String)]);
  expect(status, stderr).toBe(0);
  const ranks = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Rank)
    .sort((a, b) => a.rank - b.rank);
  expect(ranks).toHaveLength(size);
  for (const [rank, { sums, gathered, ...facts }] of ranks.entries()) {
    expect(facts).toMatchObject({
      rank,
      size,
      localRank: rank,
      localSize: size,
      library: expect.stringMatching(/^Open MPI v|^MPICH/) as string,
    });
    expect(sums).toEqual(lengths.map((length) => ({ length, isRight: true })));
    expect(gathered).toEqual(Array.from({ length: size }, (_, other) => [other / 3]));
  }
  const { ticks, waitedMs } = ranks[0]!;
  expect(waitedMs).toBeGreaterThan(250);
  expect(ticks).toBeGreaterThan(waitedMs / 25); // of one each 5 ms, on a machine that has others to serve
});

it("a rank that gives up is heard by all, whose ends are in good order", async () => {
  const { status, stdout } = await mpirun(3, [program("gives-up")]);
  expect(status).toBe(3);
  for (const rank of [0, 2]) expect(stdout).toContain(`rank ${rank}: mpi: rank 1 gave up: no room\n`);
});
