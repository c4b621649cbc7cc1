/** Where checkpoints go. In Node, `directoryStore` of `@kto/trainer/node`; in a browser, anything of this shape. */
export interface CheckpointStore {
  /** Writes a folder of files so that it is there whole or not at all; returns where it is. */
  save(name: string, files: ReadonlyMap<string, Uint8Array>): Promise<string>;
  /** A file of a checkpoint, or undefined. */
  read(name: string, file: string): Promise<Uint8Array | undefined>;
  /** Names of complete checkpoints. */
  list(): Promise<string[]>;
  remove(name: string): Promise<void>;
}

/** `checkpoint-<step>`, transformers' name. */
export function checkpointName(step: number): string {
  return `checkpoint-${step}`;
}

/** The step in a checkpoint's name, or undefined for another name. */
export function checkpointStep(name: string): number | undefined {
  const match = /^checkpoint-(\d+)$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

/** Names of checkpoints, oldest first. */
export function sortCheckpoints(names: readonly string[]): string[] {
  return names.filter((name) => checkpointStep(name) !== undefined).sort((a, b) => checkpointStep(a)! - checkpointStep(b)!);
}
