import { isKtoError } from "@kto/core";

const interrupt = new AbortController();

/** Aborted by Ctrl-C: whatever a step waits for then ends. A second Ctrl-C ends the program at once. */
export const signal = interrupt.signal;

/** A step that ends early, by Ctrl-C or for what is wrong, ends the program with one line that says so. */
export function endInOneLine(): void {
  let askedAt = 0;
  const end = (): void => {
    if (!signal.aborted) tell("interrupted: ending what is under way (once more ends it at once)");
    else if (Date.now() - askedAt > 500) process.exit(130); // sooner it is the same one, passed on by npm
    askedAt = Date.now();
    interrupt.abort(new Error("interrupted"));
  };
  process.on("SIGINT", end).on("SIGTERM", end);
  process.on("uncaughtException", (error: Error & { code?: string }) => {
    if (error.code === "EPIPE") process.exit(); // whoever read what is printed has left
    if (error === signal.reason) {
      tell("run the same again to go on: what was downloaded or trained is kept");
      process.exit(130);
    }
    const isForUsers = isKtoError(error) || error instanceof RangeError || error.code?.startsWith("ERR_PARSE_ARGS");
    tell(isForUsers ? `error: ${error.message}` : error.stack!);
    process.exit(1);
  });
}

/** A line of its own, whatever progress stands there. */
function tell(line: string): void {
  console.error(process.stderr.isTTY ? `\r\u001b[K${line}` : line);
}

/** 1.81 GB, 256 kB. */
export function formatBytes(bytes: number): string {
  const [unit, size] = ([["GB", 1e9], ["MB", 1e6], ["kB", 1e3]] as const).find(([, least]) => bytes >= least) ?? ["bytes", 1]; // prettier-ignore
  const value = bytes / size;
  return `${value < 100 ? value.toPrecision(3) : value.toFixed(0)} ${unit}`;
}

/** Shows how far something large has come: one line that changes in a terminal, else a line every ten seconds. */
function shown(what: string): (done: number, total: number) => void {
  const { isTTY } = process.stderr;
  let last: number | undefined;
  return (done, total) => {
    last ??= Date.now();
    if (done >= total) {
      if (isTTY) process.stderr.write("\r\u001b[K");
      last = undefined;
    } else if (Date.now() - last > (isTTY ? 200 : 10_000)) {
      const line = `${what}: ${formatBytes(done)} of ${formatBytes(total)}`;
      process.stderr.write(isTTY ? `\r\u001b[K${line}` : `${line}\n`);
      last = Date.now();
    }
  };
}

const downloading = shown("downloading");
const uploading = shown("uploading");
const working = shown("weights");

interface FileProgress {
  loadedBytes: number;
  totalBytes: number;
}

/** For everything that takes time: Ctrl-C ends it, and it shows how far it is. */
export const options = {
  signal,
  hub: { onProgress: (file: FileProgress) => downloading(file.loadedBytes, file.totalBytes) },
  onProgress(progress: object): void {
    const { loadedBytes, writtenBytes, done, totalBytes, total } = progress as Partial<Record<string, number>>;
    const [now = 0, all = 0] = [loadedBytes ?? writtenBytes ?? done, totalBytes ?? total];
    if (all > 1e6) working(now, all); // below that it is soon over, or layers are counted
  },
};

/** The same for what is pushed. */
export const pushOptions = { signal, onProgress: (file: FileProgress) => uploading(file.loadedBytes, file.totalBytes) };
