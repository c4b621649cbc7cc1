/** A thread that runs a script and is spoken to by messages. */
export interface Thread {
  send(message: unknown, transfer: readonly ArrayBuffer[]): void;
  /** A thread that waits for nothing does not keep the process alive. */
  setBusy(isBusy: boolean): void;
  end(): void;
}

/** What a thread reports. */
export interface ThreadEvents {
  onMessage(message: unknown): void;
  /** It could not start, or ended before it was asked to. */
  onFailure(cause: unknown): void;
}
