import { diskName } from "@kto/core/config";
import { methods, type TrainMethod } from "../methods/index.js";
import { fieldsOf } from "./train-fields.js";

/** The default of a field of `kto train` in the run's method; the default method's where the config names none that there is. */
export function defaultOf(name: string, { method: named }: Readonly<Record<string, unknown>>): unknown {
  const method = methods.find((one) => one.name === named) ?? methods[0]!;
  return defaultsOnDisk(method).get(name);
}

function defaultsOnDisk(method: TrainMethod): ReadonlyMap<string, unknown> {
  return new Map(
    Object.entries(fieldsOf(method)).flatMap(([name, one]) => {
      const spelt = diskName(name, one);
      return spelt === undefined || one.isRequired ? [] : [[spelt, one.initial] as const];
    }),
  );
}
