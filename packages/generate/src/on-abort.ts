/** Calls of one listener, and how it is taken off its signal. */
interface Listening {
  calls: Set<() => void>;
  stop(): void;
}

const listenings = new WeakMap<AbortSignal, Listening>();

/**
 * Calls back when a signal aborts, at once where it has. A signal gets one listener however many wait for it: Node warns of a leak from the eleventh on.
 *
 * @returns forgets the callback
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  if (signal.aborted) {
    callback();
    return () => {};
  }
  const { calls, stop } = listenings.get(signal) ?? listen(signal);
  const call = (): void => callback(); // of its own, so that a callback may be given twice
  calls.add(call);
  return () => {
    if (calls.delete(call) && calls.size === 0) stop();
  };
}

function listen(signal: AbortSignal): Listening {
  const calls = new Set<() => void>();
  const callAll = (): void => {
    for (const call of calls) call();
  };
  const stop = (): void => {
    signal.removeEventListener("abort", callAll);
    listenings.delete(signal);
  };
  signal.addEventListener("abort", callAll, { once: true });
  const listening = { calls, stop };
  listenings.set(signal, listening);
  return listening;
}
