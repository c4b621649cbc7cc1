import { defaultsOf } from "@kto/core/config";
import { expect, it } from "vitest";
import { parseFlags } from "../flags.js";
import { checkGiven } from "./check-command.js";
import { samplingFields, samplingOptions } from "./sampling-fields.js";

const check = (...argv: string[]): ReturnType<typeof checkGiven<typeof samplingFields>> =>
  checkGiven(samplingFields, parseFlags(argv, samplingFields).fields, {});

it("reads the flags of transformers", () => {
  const flags =
    "--max_new_tokens 16 --do_sample --temperature 0 --top_k 0 --top_p 1 --min_p 0.05 --repetition_penalty 1.1 --seed 3 --eos_token_id 151643 151645";
  const { values, mistakes } = check(...flags.split(" "), "--stop", "\n\n", "User:", "--stop", " end ");
  expect(mistakes).toEqual([]);
  expect(samplingOptions(values)).toEqual({
    maxNewTokens: 16,
    doSample: true,
    temperature: 0,
    topK: 0,
    topP: 1,
    minP: 0.05,
    repetitionPenalty: 1.1,
    seed: 3,
    stop: ["\n\n", "User:", " end "],
    eosTokenId: [151_643, 151_645],
  });
});

it("what is not given is left to the model", () => expect(samplingOptions(defaultsOf(samplingFields))).toEqual({}));

it.each([
  ["max_new_tokens", "0"],
  ["do_sample", "perhaps"],
  ["temperature", "-0.1"],
  ["top_k", "1.5"],
  ["top_p", "0"],
  ["top_p", "1.01"],
  ["min_p", "-1"],
  ["min_p", "2"],
  ["repetition_penalty", "0"],
  ["seed", "-1"],
  ["stop", ""],
  ["eos_token_id", "end"],
])("--%s %s is refused", (name, value) => {
  expect(check(`--${name}`, value).mistakes).toMatchObject([{ kind: "unusable", place: `--${name}` }]);
});
