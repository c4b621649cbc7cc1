import { CapabilityError, type RankFailure } from "@kto/core";
import type { LaunchedRanks } from "@kto/core/node";
import type * as Mpi from "@kto/mpi";
import type { CommandInput } from "../commands/command.js";
import { endOf, exitStatus, stackOf } from "../errors.js";
import { Console } from "../render/console.js";
import { Ranks } from "./ranks.js";

/** For how long a rank that gives up waits in silence for the others to hear it, which they do at their next call. */
const silentMs = 10_000;

/**
 * Runs a command as one of the ranks that a launcher started: rank 0 says everything, the others nothing. What ends one ends all, with the same exit status and one
 * message, which rank 0 writes.
 */
export async function withRanks(
  input: CommandInput,
  launched: LaunchedRanks,
  body: (input: CommandInput) => Promise<number>,
): Promise<number> {
  const ranks = await join(input, launched);
  if (!ranks) return exitStatus.wrongInput;
  let begun = false;
  const begin = (): void => {
    begun = true;
    input.begin();
  };
  try {
    const status = await body({ ...(ranks.isFirst ? input : silent(input)), ranks, begin });
    await ranks.collective.end();
    return status;
  } catch (error) {
    return await giveUp(error, ranks, { ...input, begun });
  }
}

/** Joins the ranks. Where MPI is missing it is missing on the whole machine, and one process of it says so: the others get undefined. */
async function join({ io, options }: CommandInput, launched: LaunchedRanks): Promise<Ranks | undefined> {
  try {
    const { mpiCollective } = await importMpi(launched);
    const collective = mpiCollective({ env: io.env });
    const ranks = new Ranks(collective, await collective.gatherTexts(collective.host));
    warnOfSignals(collective, launched, { io, options });
    return ranks;
  } catch (error) {
    if ((launched.localRank ?? 0) > 0) return undefined;
    throw error;
  }
}

async function importMpi({ launcher, size }: LaunchedRanks): Promise<typeof Mpi> {
  try {
    return await import("@kto/mpi");
  } catch (cause) {
    throw new CapabilityError(
      `train: ${launcher} started ${size} processes, and the package that joins them to one run is not installed; expected @kto/mpi, got none; run npm install @kto/mpi, or start kto without ${launcher}`,
      { cause },
    );
  }
}

/** Open MPI's mpirun kills its ranks two seconds after Ctrl-C, unless it is told to wait: too soon for most checkpoints. */
function warnOfSignals(
  { rank, library }: Mpi.MpiCollective,
  { launcher }: LaunchedRanks,
  { io, options }: Pick<CommandInput, "io" | "options">,
): void {
  const isTold = ["OMPI_MCA_", "PRTE_MCA_"].some((prefix) => io.env[`${prefix}odls_base_sigkill_timeout`] !== undefined);
  if (rank > 0 || isTold || launcher !== "mpirun" || !library?.startsWith("Open MPI")) return;
  const setting = library.startsWith("Open MPI v4") ? "--mca" : "--prtemca";
  new Console(io, options).note(
    `Ctrl-C: mpirun kills its ranks two seconds after it; to leave them time for a checkpoint send it SIGUSR2 instead, or start it with ${setting} odls_base_sigkill_timeout 30`,
  );
}

/** The input of a rank that says nothing. */
function silent(input: CommandInput): CommandInput {
  const nowhere = { write: () => true };
  const io = Object.create(input.io, { stdout: { value: nowhere }, stderr: { value: nowhere } }) as CommandInput["io"]; // its stdin is opened by who reads it
  const options = { ...input.options, quiet: true };
  return { ...input, io, options, console: new Console(io, options) };
}

/** Tells the other ranks, or hears from them, why this run ends; rank 0 says it. Resolves to the exit status of all. */
async function giveUp(error: unknown, ranks: Ranks, { io, options, begun }: CommandInput & { begun: boolean }): Promise<number> {
  const { collective } = ranks;
  const isHeard = error === collective.failure; // and not this rank's own
  const own = endOf(error, { begun, signal: io.signal });
  const failures = isHeard ? collective.failure!.failures : await tell(own);
  const first = failures[0] ?? { rank: collective.rank, text: own.lines.join("\n"), status: own.status }; // ranks came apart, and all say so
  if (ranks.isFirst) for (const line of linesOf(first)) io.stderr.write(`${line}\n`);
  if (options.debug && !isHeard) io.stderr.write(`${ranks.nameOf(collective.rank)}: ${stackOf(error)}\n`);
  collective.leave();
  return first.status ?? own.status;

  async function tell({ lines, status }: typeof own): Promise<readonly RankFailure[]> {
    const impatience = setTimeout(() => {
      io.stderr.write(`kto: ${ranks.nameOf(collective.rank)} gives up when the others have heard of it: ${lines.join(" ")}\n`);
    }, silentMs);
    try {
      return await collective.fail({ text: lines.join("\n"), status });
    } catch (error) {
      for (const line of lines) io.stderr.write(`${line}\n`);
      collective.abort(status); // MPI itself is at its end
      throw error;
    } finally {
      clearTimeout(impatience);
    }
  }

  /** The lines of one rank, with its name where not all say the same: what others say may only be that it could not do its part. */
  function linesOf({ rank, text }: RankFailure): string[] {
    const isOfAll = [0, collective.size].includes(failures.length) && failures.every((other) => other.text === text);
    return text.split("\n").map((line) => (isOfAll ? line : line.replace(/^kto: (error\[\w+\]: )?/, `kto: $1${ranks.nameOf(rank)}: `)));
  }
}
