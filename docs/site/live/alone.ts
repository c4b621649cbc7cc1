import { OutputError } from "@kto/kit";

const name = "kto live page";

/** How long a tab waits for another: a page that is loaded anew meets the lock of the one that it was. */
const patienceMs = 1000;

/** Does something that one tab of the site does at a time. Throws OutputError while another does it; where a browser has no locks, nobody is kept out. */
export async function alone<Result>(work: () => Promise<Result>): Promise<Result> {
  if (!navigator.locks) return work();
  let hasBegun = false;
  const begin = (): Promise<Result> => {
    hasBegun = true;
    return work();
  };
  return navigator.locks.request(name, { signal: AbortSignal.timeout(patienceMs) }, begin).catch((error: unknown) => {
    if (hasBegun) throw error;
    throw new OutputError(
      {
        operation: "train",
        problem: "another tab of this browser trains on this page",
        expected: "one run at a time",
        advice: "wait for it, stop it there, or close that tab",
      },
      { path: name },
    );
  });
}

/** Whether a tab of the site does it now; false where a browser does not tell. */
export async function isTaken(): Promise<boolean> {
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  return held.some((lock) => lock.name === name);
}
