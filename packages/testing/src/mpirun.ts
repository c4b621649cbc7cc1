import { spawn, type ChildProcess } from "node:child_process";

/** How ranks are started. */
export interface MpirunOptions {
  env?: Readonly<Record<string, string | undefined>>;
  /** Options of mpirun, before the program. */
  options?: readonly string[];
  /** What starts mpirun; `mpirun` unless given. */
  launcher?: readonly string[];
  /** Options of Node; what a program from source needs, unless given. */
  nodeOptions?: readonly string[];
}

/** What ranks said and how mpirun ended. */
export interface MpirunOutcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Ranks that run. */
export interface StartedRanks {
  readonly process: ChildProcess;
  readonly ended: Promise<MpirunOutcome>;
  /** Waits until stderr holds this; rejects with all that was said where the ranks end before. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
}

/** A test's ranks share few cores and may run as root: so mpirun is told. */
const manners = ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none"];

const fromSource = ["--conditions=@kto/source", "--import=tsx"];

/** Starts Node as `size` ranks of Open MPI's mpirun. */
export function startRanks(
  size: number,
  args: readonly string[],
  { env = {}, options = [], launcher = ["mpirun"], nodeOptions = fromSource }: MpirunOptions = {},
): StartedRanks {
  const [command, ...before] = launcher as [string, ...string[]];
  const child = spawn(command, [...before, ...manners, ...options, "-n", String(size), process.execPath, ...nodeOptions, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  const listeners = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text: string) => {
      said[name] += text;
      for (const listener of listeners) listener();
    });
  const ended = new Promise<MpirunOutcome>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, ...said }));
  });
  return {
    process: child,
    ended,
    async says(pattern) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(said.stderr);
          if (!found) return;
          listeners.delete(look);
          resolve(found);
        };
        listeners.add(look);
        look();
        ended.then(
          ({ status, stderr }) => reject(new Error(`the ranks ended with ${status} and did not say ${String(pattern)}:\n${stderr}`)),
          reject,
        );
      });
    },
  };
}

/** Runs Node as `size` ranks, and waits for their end. */
export function mpirun(size: number, args: readonly string[], options?: MpirunOptions): Promise<MpirunOutcome> {
  return startRanks(size, args, options).ended;
}
