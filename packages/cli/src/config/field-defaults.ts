import { diskName } from "@kto/core/config";
import { methods, type TrainMethod } from "../methods/index.js";
import { fieldsOf } from "./train-fields.js";

/** Of each method the defaults of its fields, under their names in files. */
const defaults = new Map<unknown, ReadonlyMap<string, unknown>>(methods.map((method) => [method.name, defaultsOnDisk(method)]));

/** The default of a field of `kto train` in the run's method; the default method's where the config names none that there is. */
export function defaultOf(name: string, { method }: Readonly<Record<string, unknown>>): unknown {
  return (defaults.get(method) ?? defaults.get(methods[0]!.name)!).get(name);
}

function defaultsOnDisk(method: TrainMethod): ReadonlyMap<string, unknown> {
  return new Map(
    Object.entries(fieldsOf(method)).flatMap(([name, one]) => {
      const spelt = diskName(name, one);
      return spelt === undefined || one.isRequired ? [] : [[spelt, one.initial] as const];
    }),
  );
}
