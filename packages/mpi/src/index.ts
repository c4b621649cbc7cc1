export { RanksError, type RankFailure } from "@kto/core";
export { mpiCollective, MpiCollective, type MpiOptions } from "./mpi-collective.js";
