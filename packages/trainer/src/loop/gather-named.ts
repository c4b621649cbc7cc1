import type { Collective } from "./collective.js";
import type { NamedValues } from "./method.js";

/** Numbers under the same names on every rank, and how many there are of each is the rank's own affair: those of every rank, by rank. All of them in one call. */
export async function gatherNamed(collective: Collective, own: readonly NamedValues[]): Promise<NamedValues[][]> {
  if (collective.size === 1) return [[...own]];
  const packed = own.flatMap((record) => Object.values(record).flatMap((values) => [values.length, ...Array.from(values)]));
  return (await collective.gather(packed)).map((numbers) => {
    let at = 0;
    const take = (count: number): readonly number[] => numbers.slice(at, (at += count));
    return own.map((record) => Object.fromEntries(Object.keys(record).map((name) => [name, take(take(1)[0]!)])));
  });
}

/** The numbers of some records under each name, one after another. */
export function joined(records: readonly NamedValues[]): NamedValues {
  const [first = {}] = records;
  return Object.fromEntries(Object.keys(first).map((name) => [name, records.flatMap((record) => Array.from(record[name]!))]));
}
