type Environment = Readonly<Record<string, string | undefined>>;

/** This process as one of several that a launcher started together. */
export interface LaunchedRanks {
  /** How many there are. */
  size: number;
  /** This process's place, from 0. */
  rank: number;
  /** Its place among those of its machine, where the launcher says so. */
  localRank: number | undefined;
  /** What started them, as its users call it. */
  launcher: "mpirun" | "mpiexec" | "srun";
}

/** Where launchers write how many processes they started, and which of them this is. An `mpirun` within a job of Slurm counts before the job. */
const places = [
  { launcher: "mpirun", size: "OMPI_COMM_WORLD_SIZE", rank: "OMPI_COMM_WORLD_RANK", localRank: "OMPI_COMM_WORLD_LOCAL_RANK" }, // Open MPI
  { launcher: "mpiexec", size: "PMI_SIZE", rank: "PMI_RANK", localRank: "MPI_LOCALRANKID" }, // MPICH and its kin
  { launcher: "srun", size: "SLURM_STEP_NUM_TASKS", rank: "SLURM_PROCID", localRank: "SLURM_LOCALID" }, // of the step: a batch script by itself is one process
] as const;

/** What `mpirun`, `mpiexec` or `srun` says of this process; undefined for one that was started alone. Loads nothing. */
export function launchedRanks(env: Environment): LaunchedRanks | undefined {
  for (const { launcher, ...names } of places) {
    const [size, rank, localRank] = [names.size, names.rank, names.localRank].map((name) => Number(env[name] || NaN));
    if (!Number.isInteger(size) || !Number.isInteger(rank)) continue;
    return size! > 1 ? { size: size!, rank: rank!, localRank: Number.isInteger(localRank) ? localRank : undefined, launcher } : undefined;
  }
  return undefined;
}
