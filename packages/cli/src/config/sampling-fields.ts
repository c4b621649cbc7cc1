import {
  boolean,
  expecting,
  field,
  integer,
  number,
  oneOrMore,
  orNull,
  patterns,
  where,
  type Field,
  type FieldType,
  type Values,
} from "@kto/core/config";
import type { GenerateOptions } from "@kto/generate";

/** How text is generated, of every command that does so; names, order and meaning as in transformers. What is null comes from `generation_config.json`. */
export const samplingFields = {
  maxNewTokens: setting(integer(1), "tokens of an answer at most; by default to the end of the context"),
  doSample: setting(boolean(), "draws the tokens; false takes the likeliest; by default true where one of the next four is given"),
  temperature: setting(number({ least: 0 }), "above 1 draws more freely, below 1 less; 0 takes the likeliest token"),
  topK: setting(integer(0), "draws among the so many likeliest tokens; 0 for all"),
  topP: setting(
    where(number({ above: 0 }), (value) => value <= 1, "a number above 0 and at most 1"),
    "draws among the likeliest tokens that have this probability together",
  ),
  minP: setting(
    where(number({ least: 0 }), (value) => value <= 1, "a number from 0 to 1"),
    "draws among tokens of at least this share of the largest probability",
  ),
  repetitionPenalty: setting(number({ above: 0 }), "above 1 holds back tokens that prompt and answer have; 1 does nothing"),
  seed: setting(integer(0), "the same seed gives the same answer on the same device; by default another each time"),
  stop: setting(expecting(patterns(), "texts of at least one letter"), "texts at which an answer ends; they are not part of it"),
  eosTokenId: setting(oneOrMore(integer(0), "the id of a token, or several"), "ids at which an answer ends, in place of the model's"),
};

function setting<Value>(type: FieldType<Value>, help: string): Field<Value | null> {
  return field(orNull(type), null, { group: "generation", help });
}

/** The values as the options of `@kto/generate`; what is null is left to the model. */
export function samplingOptions(values: Values<typeof samplingFields>): Pick<GenerateOptions, keyof typeof samplingFields> {
  const names = Object.keys(samplingFields) as (keyof typeof samplingFields)[];
  return Object.fromEntries(names.flatMap((name) => (values[name] === null ? [] : [[name, values[name]]])));
}
