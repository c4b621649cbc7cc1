import type { Readable } from "node:stream";

/** What a command writes to: a stream, or a test's recorder. */
export interface TextSink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** The world around a command. */
export interface Io {
  /** What a chat reads turns from; nothing where there is none. */
  stdin?: Readable & { readonly isTTY?: boolean };
  /** Results only. */
  stdout: TextSink;
  /** Progress, tables, warnings, errors. */
  stderr: TextSink;
  env: Readonly<Record<string, string | undefined>>;
  /** Aborted by SIGINT and SIGTERM: the step in flight is finished, a checkpoint written. */
  signal?: AbortSignal;
  /** How the user runs this again with one more flag, as an interrupted run advises; default "the same command and". */
  again?: string;
}

/** Flags that every command takes. */
export interface CommonOptions {
  device: "auto" | "gpu" | "software";
  json: boolean;
  quiet: boolean;
  debug: boolean;
}
