import { expect, it } from "vitest";
import { abiOf } from "./abi.js";

const openMpi = ["comm_world", "float", "byte", "info_null", "errors_return"].map((name) => `ompi_mpi_${name}`);
const symbolsOf = (names: readonly string[]) => (name: string) => (names.includes(name) ? BigInt(1 + names.indexOf(name)) : undefined);

it("tells Open MPI, whose handles are its symbols, from MPICH, whose handles are numbers", () => {
  expect(abiOf(symbolsOf(openMpi))).toMatchObject({ name: "Open MPI", handleType: "void *", commWorld: 1n, float: 2n, byte: 3n });
  expect(abiOf(symbolsOf(["MPIR_Process"]))).toMatchObject({ name: "MPICH", handleType: "int", commWorld: 0x44000000 });
  expect(abiOf(symbolsOf([]))).toBeUndefined();
});

it("an Open MPI without a symbol that it must have is refused", () => {
  expect(() => abiOf(symbolsOf(["ompi_mpi_comm_world"]))).toThrow("it has ompi_mpi_comm_world and no ompi_mpi_float");
});
