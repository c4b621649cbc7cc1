import type { ByteDirectory, ByteSource, Store } from "@kto/core";
import type { CausalLM, Device, ParameterBucket } from "@kto/tensor";
import type { DropoutModel } from "../memory/passes.js";
import type { MakeReference, ReferenceKind, ReferenceUse } from "../scoring/reference.js";
import type { SettingDifference } from "./differences.js";
import type { TrainingConfig } from "./training-config.js";

/** What is trained, as methods see it: a model, and the adapter on it if there is one. */
export interface PolicyModel extends DropoutModel {
  readonly device: Device;
  /** What packs rows and computes; an adapter that acts is in its layers. */
  readonly base: CausalLM;
}

/** What a run trains, by the word of trl: an adapter of a model, or every weight of it. */
export interface Policy extends PolicyModel {
  /** The parameters, f32. */
  readonly buckets: readonly ParameterBucket[];
  readonly files: PolicyFiles;
  /** All weights of a model: what belongs to a model lies beside them, in checkpoints too. */
  readonly isWholeModel: boolean;
  /** Runs `body` with dropout; the same seed gives the same masks. */
  withDropout<T>(seed: number, body: () => T): T;
  /**
   * What makes references: they compute what the policy computes now, when it has been trained too.
   *
   * @param kind  undefined for a method that compares with nothing
   * @param uses  what they will be made for
   */
  references(kind: ReferenceKind | undefined, uses: readonly ReferenceUse[]): Promise<MakeReference>;
  /** Throws TrainerUsageError for a policy that cannot be trained as it is, before anything is made for it. */
  expectTrainable(): void;
  /** Throws OutOfMemoryError where what a run keeps besides is known not to fit into the budget, before any of it is made. */
  expectRoom(args: TrainingConfig, options: { keepsReference: boolean }): void;
  /** Called before it is changed: what lies in the files of the model is not what is in its weights then. */
  noteChange(): void;
  /** The text of README.md, with the name of the method among its tags. */
  card(tag: string): string;
}

/** How what is trained lies in a folder: in a checkpoint, and in what a run comes to. */
export interface PolicyFiles {
  /** Writes it as it is now. Gives the names of what a checkpoint must have of it. */
  write(folder: Store): Promise<readonly string[]>;
  /** Reads what `write` wrote and checks it against what is trained; changes nothing. Throws as `readCheckpoint`. */
  read(checkpoint: CheckpointFolder): Promise<ReadPolicy>;
}

/** The folder of a checkpoint that is read. */
export interface CheckpointFolder {
  /** `checkpoint-<step>`. */
  readonly name: string;
  readonly folder: ByteDirectory;
  /** What `body` gives. What it finds wrong with the contents of a file becomes a CheckpointError that names the file. */
  within<T>(file: string, body: () => Promise<T>): Promise<T>;
  /** What `use` makes of a file, within it. A file that is missing is a CheckpointError too. */
  read<T>(file: string, use: (source: ByteSource) => Promise<T>): Promise<T>;
  /** What is to be thrown for a checkpoint that is whole and another run's. */
  otherRun(problem: string, cause?: unknown): Error;
}

/** What a checkpoint holds of a policy. */
export interface ReadPolicy {
  /** Puts it in the place of what is there. */
  restore(): void;
  /** How it differs from the policy in what changes its numbers. */
  differences(args: TrainingConfig): SettingDifference[];
}
