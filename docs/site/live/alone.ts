import { OutputError } from "@kto/kit";

const name = "kto live page";

/** Does something that one tab of the site does at a time. Throws OutputError while another does it; where a browser has no locks, nobody is kept out. */
export async function alone<Result>(work: () => Promise<Result>): Promise<Result> {
  if (!navigator.locks) return work();
  return navigator.locks.request(name, { ifAvailable: true }, (lock) => {
    if (lock) return work();
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
