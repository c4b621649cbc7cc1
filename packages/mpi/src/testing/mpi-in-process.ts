import type { Mpi, Parts, Request } from "../library/load-mpi.js";

/** One collective call, in which every rank has a part. */
interface Meeting {
  /** What each rank gives to each rank. */
  given: ((to: number) => ArrayBufferView)[];
  isFull: boolean;
}

/** As much of MPI as collectives ask for, for ranks that are in one process: no library, and no launcher. */
export function mpiInProcess(size: number): Mpi[] {
  const meetings: Meeting[] = [];
  return Array.from({ length: size }, (_, rank) => {
    let count = 0;
    const pending: ((() => boolean) | undefined)[] = [];
    const call = (give: (to: number) => ArrayBufferView, take: (from: number, part: ArrayBufferView) => void): Request => {
      const meeting = (meetings[count++] ??= { given: [], isFull: false });
      meeting.given[rank] = give;
      meeting.isFull = Object.keys(meeting.given).length === size;
      pending.push(() => {
        if (!meeting.isFull) return false;
        for (const [from, give] of meeting.given.entries()) take(from, give(rank));
        return true;
      });
      return BigInt64Array.of(BigInt(pending.length - 1));
    };
    const gather = (send: ArrayBufferView, receive: ArrayBufferView, starts: (from: number) => number): Request => {
      const sent = bytesOf(send).slice();
      return call(
        () => sent,
        (from, part) => bytesOf(receive).set(bytesOf(part), starts(from)),
      );
    };
    return {
      abi: undefined as never,
      path: "libmpi-in-process",
      version: "1",
      init: () => undefined,
      rank: () => rank,
      size: () => size,
      onHost: () => ({ localRank: rank, localSize: size }),
      processorName: () => "here",
      iallgather: (send, receive) => gather(send, receive, (from) => from * send.byteLength),
      iallgatherv: (type, send, receive, { starts }) => gather(send, receive, (from) => starts[from]! * (type === "float" ? 4 : 1)),
      ialltoallv(send, sent: Parts, receive, received) {
        const copy = send.slice();
        return call(
          (to) => copy.subarray(sent.starts[to], sent.starts[to]! + sent.counts[to]!),
          (from, part) => receive.set(part as Float32Array, received.starts[from]),
        );
      },
      test(request) {
        const index = Number(request[0]);
        if (pending[index] && !pending[index]()) return false;
        pending[index] = undefined;
        return true;
      },
      finalize: () => undefined,
      abort: () => undefined,
    } satisfies Mpi;
  });
}

/** Runs `body` on every rank at once. */
export function onAll<T>(size: number, body: (mpi: Mpi, rank: number) => Promise<T>): Promise<T[]> {
  return Promise.all(mpiInProcess(size).map((mpi, rank) => body(mpi, rank)));
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
