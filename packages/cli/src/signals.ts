import { launchedRanks } from "@kto/core/node";

/** What a signal asks for: to stop in good order, or, where that was asked for before, at once. */
export type OnSignal = (name: NodeJS.Signals) => void;

/** The loop looks at the clock so often, to know whether the process stood still. */
const tickMs = 100;

/** A process that was suspended, or was busy, has not looked for so long. */
const staleMs = 1000;

/**
 * Listens for what ends a command in good order: SIGINT, SIGTERM, and SIGUSR2, which mpirun and Slurm pass on to every rank. Gives what ends that.
 *
 * When Open MPI's mpirun is interrupted it first sends SIGCONT to its ranks, then lets the time of `odls_base_sigkill_timeout` pass, and only then sends SIGTERM. So for a
 * rank SIGCONT asks to stop too, unless the process was suspended before, and the SIGTERM after it asks for nothing new.
 */
export function listenForSignals(env: NodeJS.ProcessEnv, onSignal: OnSignal): () => void {
  const names: NodeJS.Signals[] = process.platform === "win32" ? ["SIGINT", "SIGTERM"] : ["SIGINT", "SIGTERM", "SIGUSR2"];
  let isTermExpected = false;
  const heard: OnSignal = (name) => {
    if (name === "SIGTERM" && isTermExpected) isTermExpected = false;
    else onSignal(name);
  };
  for (const name of names) process.on(name, heard);
  const ofRank = launchedRanks(env)?.launcher === "mpirun" ? listenForContinue() : () => undefined;
  return () => {
    ofRank();
    for (const name of names) process.off(name, heard);
  };

  function listenForContinue(): () => void {
    let looked = performance.now();
    let resumed = -Infinity;
    const look = (): void => {
      const now = performance.now();
      if (now - looked > staleMs) resumed = now;
      looked = now;
    };
    const looking = setInterval(look, tickMs).unref();
    const onContinue = (): void => {
      look();
      if (isTermExpected || looked - resumed < staleMs) return;
      isTermExpected = true;
      onSignal("SIGCONT");
    };
    process.on("SIGCONT", onContinue);
    return () => {
      clearInterval(looking);
      process.off("SIGCONT", onContinue);
    };
  }
}
