import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { main } from "../main.js";

/** What a command said and how it ended. */
export interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

/** No hub, and an empty cache. */
const noHub = { HF_HUB_OFFLINE: "1", HF_HOME: join(tmpdir(), "kto-no-such-cache") };

/** Tokens of the tests of this process, which go with it. */
const cache = mkdtempSync(join(tmpdir(), "kto-cli-cache-"));
process.once("exit", () => rmSync(cache, { recursive: true, force: true }));

/** Runs `kto` in this process with recorders for streams; the software GPU unless KTO_DEVICE says otherwise, and no hub unless `env` names one. */
export async function kto(
  argv: readonly string[],
  {
    signal,
    env = {},
    stdin,
    terminal = {},
    onStdout,
    onStderr,
  }: {
    signal?: AbortSignal;
    env?: Record<string, string>;
    stdin?: Readable;
    /** What the streams say of the terminal they are. */
    terminal?: { isTTY?: boolean; columns?: number };
    onStdout?(text: string): void;
    onStderr?(text: string): void;
  } = {},
): Promise<Outcome> {
  const outcome: Outcome = { status: -1, stdout: "", stderr: "" };
  outcome.status = await main(argv, {
    stdout: {
      ...terminal,
      write: (text) => {
        outcome.stdout += text;
        onStdout?.(text);
      },
    },
    stderr: {
      ...terminal,
      write: (text) => {
        outcome.stderr += text;
        onStderr?.(text);
      },
    },
    env: { KTO_DEVICE: process.env["KTO_DEVICE"] ?? "software", ...noHub, KTO_CACHE: cache, ...env },
    ...(stdin && { stdin }),
    ...(signal ? { signal } : {}),
  });
  return outcome;
}

/** A folder that goes when it is disposed. */
export function temporaryFolder(): Disposable & { path: string; file(...parts: string[]): string } {
  const path = mkdtempSync(join(tmpdir(), "kto-cli-"));
  return { path, file: (...parts) => join(path, ...parts), [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** The environment of a hub on loopback, with a cache of its own and no token. */
export function hubEnv({ endpoint }: { endpoint: string }, cache: string): Record<string, string> {
  return { HF_ENDPOINT: endpoint, HF_HUB_CACHE: cache, HF_HOME: `${cache}-home`, HF_HUB_OFFLINE: "0", HF_TOKEN: "" };
}

/** `kto: error[…]` lines of an outcome. */
export function errorLinesOf({ stderr }: Outcome): string[] {
  return stderr.split("\n").filter((line) => line.startsWith("kto: error["));
}
