import { isKtoError } from "@kto/core";
import { TrainerUsageError } from "./errors.js";
import type { RunSetting } from "./run-parts.js";

/** Takes the embedding off the device where the config asks for it and it is there. Throws TrainerUsageError for a model that cannot do without. */
export async function offloadEmbedding({ args, policy: { base } }: Pick<RunSetting<never>, "args" | "policy">): Promise<void> {
  if (!args.offloadEmbedding) return;
  const refuse = (got: string, cause?: unknown): never => {
    const parts = { operation: "train", problem: "{offloadEmbedding} is true and the model cannot do without its embedding" };
    const expected = "a frozen embedding that is not the head";
    throw new TrainerUsageError({ ...parts, expected, got, advice: "leave it out", fields: ["offloadEmbedding"] }, { cause });
  };
  if (!base.offloadEmbedding) return refuse("a model without offloadEmbedding()");
  try {
    await base.offloadEmbedding();
  } catch (error) {
    if (!isKtoError(error) || error.code !== "CAPABILITY" || error.parts?.got === undefined) throw error;
    refuse(error.parts.got, error);
  }
}
