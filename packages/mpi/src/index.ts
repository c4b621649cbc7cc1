export { RanksError, type RankFailure } from "@kto/core";
export { takeGpu, type GpuClaim, type NvidiaGpu, type TakenGpu } from "./gpu/take-gpu.js";
export { mpiCollective, MpiCollective, type MpiOptions } from "./mpi-collective.js";
