import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { libraryNames } from "./names.js";

const folder = mkdtempSync(join(tmpdir(), "kto-mpi-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** An installation of MPI, with its launcher. */
function installation(name: string, library: string): string {
  const prefix = join(folder, name);
  for (const path of ["bin", "lib"]) mkdirSync(join(prefix, path), { recursive: true });
  writeFileSync(join(prefix, "lib", library), "");
  writeFileSync(join(prefix, "bin", "orterun"), "");
  chmodSync(join(prefix, "bin", "orterun"), 0o755);
  symlinkSync("orterun", join(prefix, "bin", "mpirun"));
  return prefix;
}

it("takes what KTO_LIBMPI names, and nothing else", () => {
  expect(libraryNames({ KTO_LIBMPI: "/opt/mpi/libmpi.so", PATH: "/usr/bin" })).toEqual(["/opt/mpi/libmpi.so"]);
});

it("looks beside the mpirun of the PATH and in the prefixes of the environment before it asks the linker", () => {
  const [a, b] = [installation("a", "libmpi.so.40"), installation("b", "libmpi.so.12")];
  expect(libraryNames({ PATH: `${join(a, "bin")}:/no/such/folder:` }).slice(0, 2)).toEqual([
    join(a, "lib", "libmpi.so.40"),
    "libmpi.so.40",
  ]);
  expect(libraryNames({ PATH: join(a, "bin"), MPI_HOME: b }).slice(0, 2)).toEqual([
    join(b, "lib", "libmpi.so.12"),
    join(a, "lib", "libmpi.so.40"),
  ]);
});

it("asks for MPICH's name first where MPICH's launcher started the process", () => {
  expect(libraryNames({ PMI_SIZE: "2" })[0]).toBe("libmpi.so.12");
  expect(libraryNames({ PMI_SIZE: "2", OMPI_COMM_WORLD_SIZE: "2" })[0]).toBe("libmpi.so.40");
});
