import { CapabilityError, type RankFailure, type RanksError } from "@kto/core";
import { launchedRanks } from "@kto/core/node";
import { prepareToHide } from "./gpu/take-gpu.js";
import { loadMpi, type Mpi } from "./library/load-mpi.js";
import { orderedSum } from "./ordered-sum.js";
import { gatherBytes, Rounds } from "./rounds.js";

/** How `mpiCollective` finds MPI. */
export interface MpiOptions {
  /** Default: the process's own. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
}

/**
 * The ranks that a launcher started, as one of them sees them. All make the same calls in the same order; calls may be made before earlier ones are done. Each
 * rejects with RanksError once a rank has given up, or ranks came for different calls.
 */
export class MpiCollective {
  /** This process's place, from 0. */
  readonly rank: number;
  readonly size: number;
  /** This process's place among those of its host, from 0. */
  readonly localRank: number;
  /** How many run on this host. */
  readonly localSize: number;
  /** As MPI calls this machine. */
  readonly host: string;
  /** `Open MPI v4.1.4`; undefined where there is one rank and MPI is not loaded. */
  readonly library: string | undefined;
  readonly #mpi: Mpi | undefined;
  readonly #rounds: Rounds | undefined;

  /** For `mpiCollective`. */
  constructor(mpi: Mpi | undefined) {
    this.rank = mpi?.rank() ?? 0;
    this.size = mpi?.size() ?? 1;
    const { localRank, localSize } = mpi?.onHost() ?? { localRank: 0, localSize: 1 };
    this.localRank = localRank;
    this.localSize = localSize;
    this.host = mpi?.processorName() ?? "";
    this.library = mpi?.version;
    this.#mpi = mpi;
    this.#rounds = mpi && new Rounds({ mpi, rank: this.rank, size: this.size });
  }

  /**
   * Adds up numbers over all ranks, in place: in f32, in the order of ranks. Every rank ends with the same bits. All bring as many, and leave them alone until
   * then.
   */
  async sum(numbers: Float32Array): Promise<void> {
    const ranks = this.#ranks;
    if (ranks) await this.#rounds!.enter({ purpose: "sum", length: numbers.length, isEven: true }, () => orderedSum(ranks, numbers));
  }

  /** The numbers of every rank, by rank; each may have another count of them. */
  async gather(numbers: readonly number[]): Promise<readonly (readonly number[])[]> {
    const own = Float64Array.from(numbers);
    const bytes = await this.#gatherBytes(new Uint8Array(own.buffer));
    return bytes.map((of) => Array.from(new Float64Array(of.slice().buffer)));
  }

  /** The texts of every rank, by rank. */
  async gatherTexts(text: string): Promise<readonly string[]> {
    const bytes = await this.#gatherBytes(new TextEncoder().encode(text));
    return bytes.map((of) => new TextDecoder().decode(of));
  }

  /** What calls reject with, once a rank has given up. */
  get failure(): RanksError | undefined {
    return this.#rounds?.over;
  }

  /** Tells all ranks that this one gives up: what they wait for, or ask next, rejects with RanksError. Resolves, when all have heard it, to what all say who gave up. */
  async fail(said: Omit<RankFailure, "rank">): Promise<readonly RankFailure[]> {
    return (await this.#rounds?.fail(said)) ?? [{ rank: 0, ...said }];
  }

  /** Waits until all ranks have come to their end, and ends MPI. */
  async end(): Promise<void> {
    await this.#rounds?.enter({ purpose: "end", length: 0 }, async () => undefined);
    this.leave();
  }

  /** Ends MPI after a rank has given up. Waits for the others to do so, and Node with it: close what takes its time before. */
  leave(): void {
    this.#mpi?.finalize();
  }

  /** Ends all ranks now, without their consent. */
  abort(status: number): void {
    this.#mpi?.abort(status);
  }

  get #ranks(): { mpi: Mpi; rank: number; size: number } | undefined {
    return this.#mpi && { mpi: this.#mpi, rank: this.rank, size: this.size };
  }

  async #gatherBytes(own: Uint8Array): Promise<Uint8Array[]> {
    const ranks = this.#ranks;
    if (!ranks) return [own];
    return this.#rounds!.enter({ purpose: "gather", length: own.byteLength }, (lengths) => gatherBytes(ranks, own, lengths));
  }
}

/** Whether this process has begun MPI, which a process does once. */
let hasBegun = false;

/**
 * Joins the ranks that `mpirun`, `mpiexec` or `srun` started. A process that was started alone is a run of one rank, for which no library is loaded.
 *
 * @throws CapabilityError where there is no libmpi, or one that does not see the launcher's ranks; a second call; RanksError where MPI fails
 */
export function mpiCollective({ env = process.env }: MpiOptions = {}): MpiCollective {
  const launched = launchedRanks(env);
  if (!launched) return new MpiCollective(undefined);
  if (hasBegun)
    throw new CapabilityError(
      "mpi: MPI has begun in this process; expected one call of mpiCollective, got a second; keep what the first gave",
    );
  prepareToHide();
  const mpi = loadMpi(env);
  mpi.init();
  hasBegun = true;
  const size = mpi.size();
  if (size !== launched.size)
    throw new CapabilityError(
      `mpi: ${mpi.path} (${mpi.version}) did not join the ranks of ${launched.launcher}; expected ${launched.size} of them, got ${size}; ${advice(launched.launcher)}`,
      { missing: "libmpi" },
    );
  return new MpiCollective(mpi);
}

function advice(launcher: string): string {
  return launcher === "srun"
    ? "start them with srun --mpi=pmix (srun --mpi=list says what there is), or with mpirun inside of the job"
    : `use the libmpi of the installation that ${launcher} belongs to: name it in KTO_LIBMPI`;
}
