import { expect, it } from "vitest";
import { launchedRanks } from "./launched-ranks.js";

it("reads what Open MPI, MPICH and Slurm say", () => {
  expect(launchedRanks({ OMPI_COMM_WORLD_SIZE: "4", OMPI_COMM_WORLD_RANK: "0" })).toEqual({
    size: 4,
    rank: 0,
    localRank: undefined,
    launcher: "mpirun",
  });
  expect(launchedRanks({ PMI_SIZE: "3", PMI_RANK: "2", MPI_LOCALRANKID: "0" })).toEqual({
    size: 3,
    rank: 2,
    localRank: 0,
    launcher: "mpiexec",
  });
  expect(launchedRanks({ SLURM_STEP_NUM_TASKS: "8", SLURM_PROCID: "7", SLURM_LOCALID: "3" })).toEqual({
    size: 8,
    rank: 7,
    localRank: 3,
    launcher: "srun",
  });
});

it("a process alone is none: not started by any, one of one, or the script of a job whose steps will have several", () => {
  expect(launchedRanks({})).toBeUndefined();
  expect(launchedRanks({ OMPI_COMM_WORLD_SIZE: "1", OMPI_COMM_WORLD_RANK: "0" })).toBeUndefined();
  expect(launchedRanks({ SLURM_NTASKS: "8", SLURM_PROCID: "0" })).toBeUndefined();
});

it("an mpirun of one process within a step of several is a process alone", () => {
  const step = { SLURM_STEP_NUM_TASKS: "8", SLURM_PROCID: "7" };
  expect(launchedRanks({ ...step, OMPI_COMM_WORLD_SIZE: "1", OMPI_COMM_WORLD_RANK: "0" })).toBeUndefined();
});
