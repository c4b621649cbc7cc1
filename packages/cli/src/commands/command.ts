import type { FieldDescription, Fields, GivenFields } from "@kto/core/config";
import type { CommonOptions, Io } from "../io.js";
import type { Ranks } from "../ranks/ranks.js";
import type { Console } from "../render/console.js";

/** What a command is run with. */
export interface CommandInput {
  operands: readonly string[];
  fields: GivenFields;
  options: CommonOptions;
  io: Io;
  console: Console;
  /** The processes of the run, where a launcher started several. */
  ranks?: Ranks | undefined;
  /** Called once the input was found good and work began: from then on a failure is exit status 1, not 2. */
  begin(): void;
}

/** One command of `kto`. */
export interface Command {
  name: string;
  summary: string;
  usage: string;
  /** Whole command lines, each with what it does. */
  examples: readonly (readonly [line: string, does: string])[];
  fields: Fields;
  /** The fields in words for help, where they depend on flags that stand beside `--help`; by default all of them. */
  describe?(given: GivenFields | undefined): FieldDescription[];
  /** Resolves to the exit status; throws for everything that is wrong. */
  run(input: CommandInput): Promise<number>;
}
