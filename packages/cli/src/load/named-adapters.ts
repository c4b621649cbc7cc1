import { basename, resolve } from "node:path";
import { excerpt } from "@kto/core";
import type { AdapterFiles } from "@kto/kit";
import { isFolder, isHubId } from "@kto/kit/node";
import { PeftModel, readAdapter, type AdaptableModel } from "@kto/lora";
import { ConfigError } from "../errors.js";
import type { HubAccess } from "./hub-access.js";
import { findAdapter } from "./inputs.js";

/** An adapter under the name by which it is chosen. */
export interface NamedAdapter {
  name: string;
  /** A folder, or a name on the hub. */
  place: string;
}

/** One that was found, fetched and looked at. */
export interface NamedAdapterFiles extends NamedAdapter {
  files: AdapterFiles;
}

/** What a model or an adapter is called where it is not named: the last part of its path, or of its name on the hub without its revision. */
export function lastPart(place: string): string {
  return isHubId(place) ? place.replace(/@.*$/, "").replace(/^.*\//, "") : basename(resolve(place));
}

/**
 * Names and places of `--adapter [NAME=]PLACE`, in their order. A folder whose own name has an equals sign is a place.
 *
 * @param model  the base model's place, whose name no adapter may have
 * @throws ConfigError with every name that is given twice or cannot be one
 */
export function namedAdapters(given: readonly string[], model: string): NamedAdapter[] {
  const named = given.map((word): NamedAdapter => {
    const equals = isFolder(word) ? -1 : word.indexOf("=");
    const isNamed = equals >= 0 && !/[/\\]/.test(word.slice(0, equals));
    return isNamed ? { name: word.slice(0, equals), place: word.slice(equals + 1) } : { name: lastPart(word), place: word };
  });
  const base = lastPart(model);
  const mistakes = named.flatMap(({ name, place }, index): string[] => {
    const other = named.slice(0, index).find((before) => before.name === name);
    if (name === "" || place === "" || /\s/.test(name))
      return [`--adapter: not usable; expected PLACE, or NAME=PLACE with a name without blanks, got ${excerpt(given[index])}`];
    if (name === base)
      return [
        `--adapter: ${excerpt(name)} is the base model's name; expected a name of its own, got ${excerpt(place)}; give it as NAME=${place}`,
      ];
    if (other)
      return [
        `--adapter: two are named ${excerpt(name)}; expected a name of its own for each, got ${excerpt(other.place)} and ${excerpt(place)}; give one as NAME=${place}`,
      ];
    return [];
  });
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return named;
}

/** Finds and fetches adapters and reads their configs. */
export async function findNamedAdapters(named: readonly NamedAdapter[], access: HubAccess): Promise<NamedAdapterFiles[]> {
  const found: NamedAdapterFiles[] = [];
  for (const one of named) found.push({ ...one, files: await findAdapter(one.place, access) });
  return found;
}

/** A model with all of these adapters on it, of which the first acts. Throws as `loadAdapter` of the kit, for each. */
export async function loadNamedAdapters<Model extends AdaptableModel>(
  base: Model,
  adapters: readonly NamedAdapterFiles[],
): Promise<PeftModel<Model>> {
  const model = new PeftModel(base);
  try {
    for (const { name, files } of adapters) {
      const { config, weights, embeddings } = await readAdapter(files.directory, base);
      model.addAdapter(config, { adapterName: name, weights, embeddings, isTrainable: false });
    }
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}
