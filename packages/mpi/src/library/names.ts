import { existsSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where installations say that they are. */
const prefixes = ["OPAL_PREFIX", "MPI_HOME", "MPI_ROOT", "EBROOTOPENMPI", "I_MPI_ROOT"];

/** Names that the system's linker may know, by what launched the process. */
const systemNames = {
  openMpi: ["libmpi.so.40", "libmpi.40.dylib", "libmpi.so", "libmpi.dylib"],
  mpich: ["libmpi.so.12", "libmpich.so.12", "libmpi.12.dylib", "libmpich.so", "libmpi.so", "libmpi.dylib"],
} as const;

/**
 * What to try to load, in this order: `KTO_LIBMPI` alone where it is set; else the library beside the launcher that is on the PATH or that the environment
 * names, since a process can only join the ranks of its own launcher; else what the system's linker finds.
 */
export function libraryNames(env: Environment): string[] {
  const named = env["KTO_LIBMPI"];
  if (named) return [named];
  const isMpich = env["PMI_SIZE"] !== undefined && env["OMPI_COMM_WORLD_SIZE"] === undefined;
  const names = isMpich ? [...systemNames.mpich, ...systemNames.openMpi] : [...systemNames.openMpi, ...systemNames.mpich];
  const installed = [...prefixes.flatMap((name) => env[name] || []), ...launcherPrefixes(env["PATH"] ?? "")];
  const beside = installed.flatMap((prefix) =>
    ["lib", "lib64"].flatMap((folder) => names.map((name) => join(prefix, folder, name)).filter((path) => existsSync(path))),
  );
  return [...new Set([...beside, ...names])];
}

/** Of each folder of the PATH with an `mpirun` the installation that it belongs to. Of one in `/usr` the linker knows better. */
function launcherPrefixes(path: string): string[] {
  return path.split(delimiter).flatMap((folder) => {
    const launcher = join(folder, "mpirun");
    if (folder === "" || !existsSync(launcher)) return [];
    const prefix = dirname(dirname(realpathSync(launcher)));
    return prefix === "/usr" || prefix === "/" ? [] : [prefix];
  });
}
