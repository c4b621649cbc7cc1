import { isObject, notSupported, type RequestFields } from "./fields.js";

const isEmpty = (value: unknown): boolean =>
  value === "" || (Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0);
const is =
  (...words: readonly unknown[]): ((value: unknown) => boolean) =>
  (value) =>
    words.includes(value);
const never = (): boolean => false;

/** Fields of OpenAI and vLLM that ask for another answer than there would be without them, and the values of each that ask for nothing. */
const asksForNothing: Readonly<Record<string, (value: unknown) => boolean>> = {
  tools: isEmpty,
  tool_choice: is("none", "auto"),
  functions: isEmpty,
  function_call: is("none", "auto"),
  response_format: (value) => isObject(value) && value["type"] === "text",
  modalities: (value) => Array.isArray(value) && value.every(is("text")),
  audio: never,
  prediction: never,
  web_search_options: never,
  logit_bias: isEmpty,
  frequency_penalty: is(0),
  presence_penalty: is(0),
  best_of: is(1),
  echo: is(false),
  suffix: isEmpty,
  use_beam_search: is(false),
  ignore_eos: is(false),
  min_tokens: is(0),
  stop_token_ids: isEmpty,
  bad_words: isEmpty,
  prompt_logprobs: never,
  add_generation_prompt: is(true),
  continue_final_message: is(false),
  chat_template: never,
  chat_template_kwargs: isEmpty,
  structured_outputs: isEmpty,
  guided_json: never,
  guided_regex: never,
  guided_choice: never,
  guided_grammar: never,
};

/** Throws RequestError for the first field that asks for what is not done here. Fields that nobody knows are left alone, as OpenAI's clients expect. */
export function expectNothingRefused(fields: RequestFields): void {
  for (const [name, isNothing] of Object.entries(asksForNothing)) {
    const value = fields.given(name);
    if (value !== undefined && !isNothing(value)) throw notSupported(name, value, { advice: "leave it out" });
  }
}
