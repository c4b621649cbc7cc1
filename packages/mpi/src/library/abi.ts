/** What a handle is in the C interface: Open MPI has pointers to its own objects, MPICH and its kin integers. */
export type Handle = bigint | number;

/** The names of MPI's constants in one binary interface. */
export interface MpiAbi {
  name: "Open MPI" | "MPICH";
  /** The C type of communicators, datatypes, infos and error handlers. */
  handleType: "void *" | "int";
  commWorld: Handle;
  float: Handle;
  byte: Handle;
  infoNull: Handle;
  errorsReturn: Handle;
  /** What `MPI_Comm_split_type` takes for the ranks of one host. */
  typeShared: number;
  /** A pointer. */
  statusIgnore: bigint;
}

/** The interface of a library that has these symbols; `symbolOf` gives the address of one, or undefined. */
export function abiOf(symbolOf: (name: string) => bigint | undefined): MpiAbi | undefined {
  const commWorld = symbolOf("ompi_mpi_comm_world");
  if (commWorld === undefined)
    return symbolOf("MPIR_Process") !== undefined || symbolOf("MPIX_Comm_agree") !== undefined ? mpich : undefined;
  const expected = (name: string): bigint => {
    const address = symbolOf(name);
    if (address === undefined) throw new Error(`it has ompi_mpi_comm_world and no ${name}`);
    return address;
  };
  return {
    name: "Open MPI",
    handleType: "void *",
    commWorld,
    float: expected("ompi_mpi_float"),
    byte: expected("ompi_mpi_byte"),
    infoNull: expected("ompi_mpi_info_null"),
    errorsReturn: expected("ompi_mpi_errors_return"),
    typeShared: 0,
    statusIgnore: 0n,
  };
}

/** Of the ABI that MPICH, Intel MPI, MVAPICH and Cray MPICH share since 2013. */
const mpich: MpiAbi = {
  name: "MPICH",
  handleType: "int",
  commWorld: 0x44000000,
  float: 0x4c00040a,
  byte: 0x4c00010d,
  infoNull: 0x1c000000,
  errorsReturn: 0x54000001,
  typeShared: 1,
  statusIgnore: 1n,
};
