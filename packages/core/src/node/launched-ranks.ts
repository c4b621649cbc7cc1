type Environment = Readonly<Record<string, string | undefined>>;

/** This process as one of several that a launcher started together. */
export interface LaunchedRanks {
  /** How many there are. */
  size: number;
  /** This process's place, from 0. */
  rank: number;
  /** What started them, as its users call it. */
  launcher: "mpirun" | "mpiexec" | "srun";
}

/** Where launchers write how many processes they started, and which of them this is. An `mpirun` within a job of Slurm counts before the job. */
const places = [
  { launcher: "mpirun", size: "OMPI_COMM_WORLD_SIZE", rank: "OMPI_COMM_WORLD_RANK" }, // Open MPI
  { launcher: "mpiexec", size: "PMI_SIZE", rank: "PMI_RANK" }, // MPICH and its kin
  { launcher: "srun", size: "SLURM_STEP_NUM_TASKS", rank: "SLURM_PROCID" }, // of the step: a batch script by itself is one process
] as const;

/** What `mpirun`, `mpiexec` or `srun` says of this process; undefined for one that was started alone. Loads nothing. */
export function launchedRanks(env: Environment): LaunchedRanks | undefined {
  for (const { launcher, ...names } of places) {
    const [size, rank] = [Number(env[names.size] || NaN), Number(env[names.rank] || NaN)];
    if (Number.isInteger(size) && Number.isInteger(rank)) return size > 1 ? { size, rank, launcher } : undefined;
  }
  return undefined;
}
