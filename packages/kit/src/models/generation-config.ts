import { excerpt, foreignText, FormatError, isFloat, parseJson, readText, type ByteDirectory } from "@kto/core";

const fileName = "generation_config.json";
const advice = "mend it, or remove it";

/** What `generation_config.json` of a model says, by its names there; undefined where there is none. Throws FormatError for one that cannot be read. */
export async function readGenerationConfig(directory: ByteDirectory): Promise<Readonly<Record<string, unknown>> | undefined> {
  const text = await readText(directory, fileName);
  if (text === undefined) return undefined;
  const source = `${directory.name}/${fileName}`;
  const refused = (expected: string, got: string): FormatError =>
    new FormatError({ operation: "model", problem: `${source} cannot be read`, expected, got }, { source: directory.name });
  const foreign = foreignText(text);
  if (foreign !== undefined) throw refused("JSON", foreign);
  const json = parseJson(text, { operation: "model", source, advice });
  if (typeof json !== "object" || json === null || Array.isArray(json) || isFloat(json))
    throw refused("a map of settings", `${excerpt(json)}; ${advice}`);
  const entries = json instanceof Map ? [...(json as Map<string, unknown>)] : Object.entries(json);
  return Object.fromEntries(entries.map(([name, value]) => [name, isFloat(value) ? value.valueOf() : value]));
}
