import koffi from "koffi";
import { CapabilityError, RanksError } from "@kto/core";
import { abiOf, type MpiAbi } from "./abi.js";
import { libraryNames } from "./names.js";

/** A number that C writes to. Its bytes lie outside of the JavaScript heap, where nothing moves them. */
export function outInt(): Int32Array {
  return new Int32Array(new ArrayBuffer(4));
}

/** A request that MPI works on: what it wrote there. */
export type Request = BigInt64Array;

/** Functions of libmpi. Counts and displacements are in elements. What a pending call was given must stay as it is until `test` says that it is done. */
export interface Mpi {
  readonly abi: MpiAbi;
  /** The file or name that was loaded. */
  readonly path: string;
  /** `Open MPI v4.1.4`, `MPICH Version: 4.0.2`. */
  readonly version: string;
  init(): void;
  rank(): number;
  size(): number;
  /** Place among the ranks of this host, and how many they are. */
  onHost(): { localRank: number; localSize: number };
  processorName(): string;
  iallgather(send: Uint8Array, receive: Uint8Array): Request;
  iallgatherv(type: "float" | "byte", send: ArrayBufferView, receive: ArrayBufferView, parts: Parts): Request;
  ialltoallv(send: Float32Array, sent: Parts, receive: Float32Array, received: Parts): Request;
  /** Lets MPI work; true once a request is done. */
  test(request: Request): boolean;
  finalize(): void;
  abort(status: number): void;
}

/** Which part of an array is whose, in elements, by rank. */
export interface Parts {
  counts: Int32Array;
  starts: Int32Array;
}

const funneled = 1;

/** koffi unloads a library whose object is collected, and MPI must stay until the process ends. */
const loaded = new Set<unknown>();

/**
 * Loads libmpi, and tells Open MPI from MPICH by its symbols.
 *
 * @throws CapabilityError where there is none, with the names that were tried, or one of an interface that is not known
 */
export function loadMpi(env: Readonly<Record<string, string | undefined>>): Mpi {
  const names = libraryNames(env);
  const tried: string[] = [];
  for (const path of names) {
    try {
      const library = koffi.load(path, { global: true }); // its plugins look their symbols up among those of the process
      loaded.add(library);
      return declare(library, path);
    } catch (cause) {
      if (cause instanceof CapabilityError) throw cause;
      tried.push(`${path} (${(cause as Error).message.replace(/^Failed to load shared library: /, "")})`);
    }
  }
  throw new CapabilityError(
    `mpi: there is no libmpi; expected that of the launcher, got none of ${tried.join(", ")}; install it (on Debian: apt-get install openmpi-bin), or name the file in KTO_LIBMPI`,
    { missing: "libmpi" },
  );
}

function declare(library: ReturnType<typeof koffi.load>, path: string): Mpi {
  const symbolOf = (name: string): bigint | undefined => {
    try {
      return koffi.address(library.symbol(name));
    } catch {
      return undefined;
    }
  };
  const abi = abiOf(symbolOf);
  if (abi === undefined)
    throw new CapabilityError(
      `mpi: ${path} is of a binary interface that is not known; expected Open MPI 4 or 5, or one of MPICH's, got neither's symbols; name another in KTO_LIBMPI`,
      { missing: "libmpi" },
    );
  const h = abi.handleType;
  const int = (name: string, ...types: string[]): ((...values: unknown[]) => number) => library.func(name, "int", types);
  const errorString = int("MPI_Error_string", "int", "void *", "void *");
  const call = (name: string, ...types: string[]): ((...values: unknown[]) => void) => {
    const call = int(name, ...types);
    return (...values) => {
      const code = call(...values);
      if (code !== 0)
        throw new RanksError(`mpi: ${name} failed; expected success, got ${textFrom((text, length) => errorString(code, text, length))}`);
    };
  };
  const pointer = "void *";
  const initThread = call("MPI_Init_thread", pointer, pointer, "int", pointer);
  const setErrorHandler = call("MPI_Comm_set_errhandler", h, h);
  const rankOf = call("MPI_Comm_rank", h, pointer);
  const sizeOf = call("MPI_Comm_size", h, pointer);
  const split = call("MPI_Comm_split_type", h, "int", "int", h, pointer);
  const processorName = call("MPI_Get_processor_name", pointer, pointer);
  const libraryVersion = call("MPI_Get_library_version", pointer, pointer);
  const iallgather = call("MPI_Iallgather", pointer, "int", h, pointer, "int", h, h, pointer);
  const iallgatherv = call("MPI_Iallgatherv", pointer, "int", h, pointer, pointer, pointer, h, h, pointer);
  const ialltoallv = call("MPI_Ialltoallv", pointer, pointer, pointer, h, pointer, pointer, pointer, h, h, pointer);
  const test = call("MPI_Test", pointer, pointer, pointer);
  const finalize = call("MPI_Finalize");
  const abort = call("MPI_Abort", h, "int");
  const { commWorld: world, float, byte } = abi;
  const newRequest = (): Request => new BigInt64Array(new ArrayBuffer(8)); // a pointer, or an integer in its lower half
  const numberFrom = (read: (out: Int32Array) => void): number => {
    const out = outInt();
    read(out);
    return out[0]!;
  };
  return {
    abi,
    path,
    get version() {
      return textFrom(libraryVersion).split(/[,\n]/)[0]!.replaceAll("\t", " ");
    },
    init() {
      const provided = numberFrom((out) => initThread(null, null, funneled, out));
      if (provided < funneled)
        throw new CapabilityError(
          `mpi: ${path} cannot be used beside other threads, of which Node has several; expected MPI_THREAD_FUNNELED, got MPI_THREAD_SINGLE; take one that was built with threads`,
          { missing: "MPI_THREAD_FUNNELED" },
        );
      setErrorHandler(world, abi.errorsReturn); // an error is thrown here instead of ending the process
    },
    rank: () => numberFrom((out) => rankOf(world, out)),
    size: () => numberFrom((out) => sizeOf(world, out)),
    onHost() {
      const out = new BigInt64Array(new ArrayBuffer(8));
      split(world, abi.typeShared, numberFrom((rank) => rankOf(world, rank)), abi.infoNull, out); // prettier-ignore
      const host = h === "int" ? Number(BigInt.asIntN(32, out[0]!)) : BigInt.asUintN(64, out[0]!);
      return { localRank: numberFrom((rank) => rankOf(host, rank)), localSize: numberFrom((size) => sizeOf(host, size)) };
    },
    processorName: () => textFrom(processorName),
    iallgather(send, receive) {
      const request = newRequest();
      iallgather(send, send.byteLength, byte, receive, send.byteLength, byte, world, request);
      return request;
    },
    iallgatherv(type, send, receive, { counts, starts }) {
      const request = newRequest();
      const count = send.byteLength / (type === "float" ? 4 : 1);
      const datatype = type === "float" ? float : byte;
      iallgatherv(send, count, datatype, receive, counts, starts, datatype, world, request);
      return request;
    },
    ialltoallv(send, sent, receive, received) {
      const request = newRequest();
      ialltoallv(send, sent.counts, sent.starts, float, receive, received.counts, received.starts, float, world, request);
      return request;
    },
    test: (request) => numberFrom((done) => test(request, done, abi.statusIgnore)) !== 0,
    finalize: () => finalize(),
    abort: (status) => abort(world, status),
  };
}

/** A text that C writes, with its length. No implementation writes more than 8,192 bytes. */
function textFrom(read: (text: Uint8Array, length: Int32Array) => unknown): string {
  const text = new Uint8Array(new ArrayBuffer(8192));
  const length = outInt();
  read(text, length);
  return new TextDecoder().decode(text.subarray(0, length[0])).replace(/\0.*$/s, "").trim();
}
