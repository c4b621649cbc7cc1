export { RanksError, type RankFailure } from "./errors.js";
export { mpiCollective, MpiCollective, type MpiOptions } from "./mpi-collective.js";
