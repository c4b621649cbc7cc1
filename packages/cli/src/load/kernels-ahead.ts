import { sketchModel, type LoadedModel } from "@kto/kit";
import { getPeftModel, PeftModel, type LoraConfig } from "@kto/lora";
import { rehearsalDevice, type Device, type FloatDtype, type KernelSource } from "@kto/tensor";
import type { Materials } from "../commands/train-materials.js";
import { moreValues, trainsEveryWeight } from "../config/train-config.js";

/** Updates whose lengths are looked at: the kernels of a run go by the size of its passes, roughly. */
const updatesLookedAt = 32;

/** How the run will hold its model. */
export interface HeldAs {
  dtype: FloatDtype;
  /** Of a fresh adapter. */
  lora: Partial<LoraConfig>;
}

/**
 * Compiles the kernels of a run, as far as a rehearsal on a model of two layers shows them, while the weights are on their way: whoever needs one waits for it.
 * What it misses the plan of the run finds; what is wrong with the run the plan says too, and nothing is thrown here.
 */
export async function compileAhead(materials: Materials, device: Device, held: HeldAs): Promise<void> {
  await kernelsOf(materials, device, held)
    .then((sources) => device.recorder.warmUp(sources))
    .catch(() => undefined);
}

async function kernelsOf(
  { config, args, model: files, adapter, chatTemplate, prepared }: Materials,
  device: Device,
  { dtype, lora }: HeldAs,
): Promise<readonly KernelSource[]> {
  const { method, values } = config;
  using rehearsal = rehearsalDevice(device.capabilities);
  rehearsal.memory.budgetBytes = device.memory.budgetBytes;
  const trainable = trainsEveryWeight(values);
  const { loadIn4bit, useBnbNestedQuant: bnb4bitUseDoubleQuant } = values;
  using base = await sketchModel(files, { device: rehearsal, dtype, loadIn4bit, bnb4bitUseDoubleQuant, trainable });
  using model: PeftModel<LoadedModel> = trainable ? new PeftModel(base) : getPeftModel(base, adapter?.config ?? lora);
  const fewUpdates = { ...args, maxSteps: args.maxSteps > 0 ? Math.min(args.maxSteps, updatesLookedAt) : updatesLookedAt };
  const trainer = method.trainer({ model, args: fewUpdates, more: moreValues(config), prepared, chatTemplate });
  await trainer.plan();
  return rehearsal.recorder.anticipated;
}
