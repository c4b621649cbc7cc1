import { existsSync } from "node:fs";
import { expect, inject, it } from "vitest";
import { installedOtherwise } from "../testing/installed-kto.js";
import { ktoRanks, trainArguments, unlikeRanks } from "../testing/ranks-of-kto.js";
import { temporaryFolder } from "../testing/run-kto.js";

/** Lines that kto itself wrote: mpirun says besides that ranks ended with a status. */
const linesOf = ({ stderr }: { stderr: string }): string[] => stderr.split("\n").filter((line) => /^(kto|warning|note):/.test(line));

it("ranks that were started with different configs and versions are refused in one line, which has both values of each", async () => {
  using folder = temporaryFolder();
  const out = folder.file("out");
  const installation = installedOtherwise(inject("installedKto"), folder.file("other"), { version: "9.9.9" });
  const outcome = await unlikeRanks(
    [{ args: trainArguments("kto", out, []) }, { args: trainArguments("kto", out, ["--beta", "0.2", "--max_steps", "7"]), installation }],
    { folder: folder.path },
  );
  expect(outcome.status).toBe(2);
  const rank1 = String.raw`on rank 1 of 2 \(\S+\)`;
  expect(linesOf(outcome)).toEqual([
    expect.stringContaining("note: Ctrl-C: mpirun kills"),
    expect.stringMatching(
      new RegExp(
        String.raw`^kto: error\[RANKS\]: train: the ranks were not started with the same run; expected version of kto 0\.0\.0, beta 0\.1, max_steps -1 as on rank 0 \(\S+\), got version of kto 9\.9\.9 ${rank1}, beta 0\.2 ${rank1}, max_steps 7 ${rank1}; start all ranks with`,
      ),
    ),
  ]);
  expect(existsSync(out)).toBe(false);
});

it("a mistake that every rank finds is said once, and ends all with status 2", async () => {
  using folder = temporaryFolder();
  const outcome = await ktoRanks(2, trainArguments("kto", folder.file("out"), ["--beta", "-1"]), { folder: folder.path });
  expect(outcome.status).toBe(2);
  expect(linesOf(outcome).slice(1)).toEqual([expect.stringMatching(/^kto: error\[CONFIG\]: .*beta/)]);
});

it.each([
  [
    "libmpi",
    { missing: "libmpi.so" },
    /^kto: error\[CAPABILITY\]: mpi: there is no libmpi; .*; install it \(on Debian: apt-get install openmpi-bin\)/,
  ],
  [
    "@kto/mpi",
    { missing: "@kto/mpi" },
    /^kto: error\[CAPABILITY\]: train: mpirun started 2 processes, .*; run npm install @kto\/mpi, or start kto without mpirun$/,
  ],
] as const)(
  "several ranks without %s are one line that says what to install, and never several runs in one folder",
  async (_, { missing }, line) => {
    using folder = temporaryFolder();
    const out = folder.file("out");
    const outcome = await ktoRanks(2, trainArguments("kto", out, []), {
      folder: folder.path,
      ...(missing === "@kto/mpi"
        ? { installation: installedOtherwise(inject("installedKto"), folder.file("other"), { mpi: false }) }
        : { env: { KTO_LIBMPI: folder.file(missing) } }),
    });
    expect(outcome.status).toBe(2);
    expect(linesOf(outcome)).toEqual([expect.stringMatching(line)]);
    expect(existsSync(out)).toBe(false);
  },
);
