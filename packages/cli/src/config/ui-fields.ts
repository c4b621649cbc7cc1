import { booleanOrInteger, field, integer, orNull, where, type GivenFields } from "@kto/core/config";
import { ConfigError } from "../errors.js";
import type { Io } from "../io.js";
import { checkGiven, mistakeLine } from "./check-command.js";

const group = "server";
const mostPort = 65_535;

/** Of `kto train`: it says how a run is watched and nothing of the run, so it is a flag and no field of a config. */
export const uiField = {
  ui: field(booleanOrInteger(0, mostPort), false, {
    group,
    help: "shows the run live on a page of this machine, with pause, save now and stop; a number is its port, 0 any that is free; by default 6006 or the next that is free",
  }),
};

/** Of `kto ui`. */
export const uiFields = {
  port: field(orNull(where(integer(0), (port) => port <= mostPort, `a whole number from 0 to ${mostPort}`)), null, {
    group,
    help: "where the page is; 0 takes any that is free; by default 6006 or the next that is free",
  }),
};

/** Whether a run is to be shown, on which port, and what was given besides. Throws ConfigError. */
export function takeUi(given: GivenFields, env: Io["env"]): { ui: boolean | number; rest: GivenFields } {
  const of = <Value>(map: ReadonlyMap<string, Value>, isUi: boolean): Map<string, Value> =>
    new Map([...map].filter(([name]) => (name === "ui") === isUi));
  const { values, mistakes } = checkGiven(uiField, { values: of(given.values, true), places: of(given.places, true) }, env);
  if (mistakes.length > 0) throw new ConfigError(mistakes.map((mistake) => mistakeLine("train", uiField, mistake)));
  return { ui: values.ui, rest: { ...given, values: of(given.values, false), places: of(given.places, false) } };
}
