import type { MetadataValue } from "../container/metadata.js";
import { type Fields, fieldsOf, isText, textsOf } from "../json-fields.js";
import { parseModelName, sizeLabelOf, titleOf } from "./model-name.js";

/** What is known of a model beside its weights. */
export interface ModelFacts {
  /** Its folder, or its name on the hub (`owner/name`): what `config.json` and card say comes first. */
  readonly name: string;
  /** The front matter of README.md, parsed. */
  readonly card?: unknown;
  /** A parsed config.json. */
  readonly config?: unknown;
  /** A parsed generation_config.json, whose settings are the defaults of generation. */
  readonly generationConfig?: unknown;
  readonly numParameters: number;
}

/** Settings of generation with their keys; whole numbers are i32, the others f32. */
const samplingKeys = [
  ["top_k", "top_k", "i32"],
  ["top_p", "top_p", "f32"],
  ["min_p", "min_p", "f32"],
  ["xtc_probability", "xtc_probability", "f32"],
  ["xtc_threshold", "xtc_threshold", "f32"],
  ["temperature", "temp", "f32"],
  ["penalty_last_n", "penalty_last_n", "i32"],
  ["penalty_repeat", "penalty_repeat", "f32"],
  ["mirostat", "mirostat", "i32"],
  ["mirostat_tau", "mirostat_tau", "f32"],
  ["mirostat_eta", "mirostat_eta", "f32"],
] as const;

/** Facts of a model that stands behind this one. */
const sourceFacts = ["name", "author", "version", "organization", "description", "url", "doi", "uuid", "repo_url"] as const;

const HUB = "https://huggingface.co/";

/**
 * The keys under `general.` that tell what a model is, in the order of llama.cpp's converter: settings of generation, name and its parts, size, licence, what it comes from, tags
 * and languages. Looked for in the card, then in `_name_or_path` of config.json, then in the name. What nothing says is left out.
 */
export function generalMetadata({ name, card, config, generationConfig, numParameters }: ModelFacts): [string, MetadataValue][] {
  const fields = fieldsOf(card);
  const ofCard = (...keys: string[]): string | undefined => keys.map((key) => fields[key]).find(isText);
  const recorded = fieldsOf(config)["_name_or_path"];
  const names = [...(isText(recorded) && recorded.split("/").length <= 2 ? [recorded] : []), name];
  const parts = names.map((one) => parseModelName(one, numParameters));
  const first = (part: keyof (typeof parts)[number]): string | undefined => parts.map((one) => one[part]).find(isText);
  const fullName = first("fullName");
  const organization = first("organization");
  const title = (text: string | undefined): string | undefined => (text === undefined ? undefined : titleOf(text));
  const licence = textsOf(fields["license"]);
  return [
    ...samplingMetadata(fieldsOf(generationConfig)),
    ...texts({
      "general.name": ofCard("name", "model_name") ?? title(fullName),
      "general.author": ofCard("author", "model_author", "model_creator"),
      "general.version": ofCard("version", "model_version") ?? first("version"),
      "general.organization": ofCard("organization", "model_organization") ?? title(organization),
      "general.finetune": ofCard("finetune", "model_finetune") ?? first("finetune"),
      "general.basename": ofCard("basename", "model_basename", "model_type") ?? first("basename"),
      "general.description": ofCard("description", "model_description"),
      "general.size_label": ofCard("size_label", "model_size_label") ?? first("sizeLabel") ?? sizeLabelOf(numParameters),
      "general.license": licence.length > 0 ? licence.join(",") : undefined,
      "general.license.name": ofCard("license_name"),
      "general.license.link": ofCard("license_link"),
      "general.source.url": ofCard("url", "model_url"),
      "general.source.doi": ofCard("doi", "model_doi"),
      "general.source.uuid": ofCard("uuid", "model_uuid"),
      "general.source.repo_url": ofCard("repo_url", "model_repo_url"),
    }),
    ...sources("base_model", fields["base_model"] ?? fields["base_models"] ?? fields["base_model_sources"], numParameters),
    ...sources("dataset", fields["datasets"] ?? fields["dataset"] ?? fields["dataset_sources"], numParameters),
    ...lists({
      "general.tags": [...textsOf(fields["tags"]), ...textsOf(fields["pipeline_tag"])],
      "general.languages": [...textsOf(fields["languages"]), ...textsOf(fields["language"])],
    }),
  ];
}

function samplingMetadata(settings: Fields): [string, MetadataValue][] {
  return samplingKeys.flatMap(([setting, key, type]): [string, MetadataValue][] => {
    const value = settings[setting];
    const isUsable =
      typeof value === "number" && Number.isFinite(value) && (type === "f32" || (Number.isInteger(value) && Math.abs(value) < 2 ** 31));
    return isUsable ? [[`general.sampling.${key}`, { type, value }]] : [];
  });
}

/** Models or data sets that this one was made from: names on the hub, addresses, or facts of their own. */
function sources(key: "base_model" | "dataset", given: unknown, numParameters: number): [string, MetadataValue][] {
  const all = (Array.isArray(given) ? given : [given]).filter((one) => isText(one) || Object.keys(fieldsOf(one)).length > 0);
  if (all.length === 0) return [];
  const entries = all.flatMap((one: unknown, index) => {
    const facts = isText(one) ? factsOfName(one, numParameters) : fieldsOf(one);
    return texts(Object.fromEntries(sourceFacts.map((fact) => [`general.${key}.${index}.${fact}`, facts[fact]])));
  });
  return [[`general.${key}.count`, { type: "u32", value: all.length }], ...entries];
}

function factsOfName(name: string, numParameters: number): Fields {
  const isAddress = /^(https?|ssh):\/\//.test(name);
  const [, id] = isAddress ? (/^https?:\/\/huggingface\.co\/([^/]+\/[^/]+)$/.exec(name) ?? []) : [name, name];
  if (id === undefined) return { repo_url: name };
  const { fullName, organization, version } = parseModelName(id, numParameters);
  return {
    name: fullName === undefined ? undefined : titleOf(fullName),
    version,
    organization: organization === undefined ? undefined : titleOf(organization),
    repo_url: isAddress ? name : organization === undefined ? undefined : `${HUB}${organization}/${fullName}`,
  };
}

function texts(given: Readonly<Record<string, unknown>>): [string, MetadataValue][] {
  return Object.entries(given).flatMap(([key, value]): [string, MetadataValue][] =>
    isText(value) ? [[key, { type: "string", value: value.replaceAll("\0", "") }]] : [],
  );
}

function lists(given: Readonly<Record<string, readonly string[]>>): [string, MetadataValue][] {
  return Object.entries(given).flatMap(([key, value]): [string, MetadataValue][] =>
    value.length > 0 ? [[key, { type: "array", of: "string", value }]] : [],
  );
}
