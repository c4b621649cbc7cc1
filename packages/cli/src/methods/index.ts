import { cpoTrainMethod } from "./cpo.js";
import { dpoTrainMethod } from "./dpo.js";
import { ktoTrainMethod } from "./kto.js";
import type { TrainMethod } from "./method.js";
import { orpoTrainMethod } from "./orpo.js";
import { sftTrainMethod } from "./sft.js";

/** Every method of `kto train`; the first is the one where none is named. */
export const methods: readonly TrainMethod[] = [ktoTrainMethod, dpoTrainMethod, sftTrainMethod, orpoTrainMethod, cpoTrainMethod];

/** The method of that name. Throws Error for a name that is none. */
export function methodNamed(name: string): TrainMethod {
  const method = methods.find((candidate) => candidate.name === name);
  if (!method) throw new Error(`methodNamed: there is no method "${name}"; expected one of ${methods.map((one) => one.name).join(", ")}`);
  return method;
}

/** True for a method that compares with a reference. */
export function hasReference({ moreFields }: TrainMethod): boolean {
  return Object.hasOwn(moreFields, "reference");
}

export type { CheckedView, DataView, Fact, LogColumn, MethodTrainer, PreparedData, RunDisplay, TrainMethod } from "./method.js";
