import { describeError, isKtoError, type Store } from "@kto/core";
import { answerEnd, TextGenerator, TextStream, type GenerationDefaults, type GenerationModel, type GenerationResult } from "@kto/generate";
import type { Tokenizer } from "@kto/tokenizer";
import type { TokenScores, TrackedRun, Tracker } from "@kto/trainer";
import { roomForSamples } from "./room-for-samples.js";
import type { SamplePrompt } from "./sample-prompts.js";
import { readBefore, writeSamples, type Sample, type SampleToken } from "./samples-file.js";

/** What is answered, and where that is written. */
export interface AnswerSamplesOptions {
  prompts: readonly SamplePrompt[];
  /** Which data they are of: for who reads the file. */
  split: "train" | "eval";
  /** As training has it: its EOS ends an answer too. */
  tokenizer: Tokenizer;
  /** Tokens of an answer at most. */
  maxNewTokens: number;
  /** Tokens of prompt and answer together at most; default the model's context. */
  maxLength?: number | undefined;
  /** Where `samples.jsonl` goes. */
  store: Store;
  /** Is told how many of the answers of one time are there. */
  onProgress?(done: number, total: number): void;
  /** Is told what is left out, and why. */
  onWarning?(text: string): void;
}

/**
 * Answers prompts before and after a run, by the likeliest tokens, and writes `samples.jsonl` each time, so that a run that is interrupted has the answers before;
 * one that goes on from a checkpoint keeps them. It draws nothing and takes no more memory than the run is planned to: as many prompts at once as fit. What fails
 * is told and does not end the run. Of the answers after, each token has its log-probability under the model and under the reference of the run.
 */
export function answerSamples(options: AnswerSamplesOptions): Tracker {
  const { prompts, split, store, onWarning } = options;
  let samples: Sample[] = [];
  let told: TrackedRun;
  const orTold = async (when: string, body: () => Promise<void>): Promise<void> => {
    try {
      await body();
    } catch (error) {
      if (told.signal?.aborted) return;
      onWarning?.(
        `samples: the answers ${when} training are left out: ${isKtoError(error) ? describeError(error, (name) => name) : String(error)}`,
      );
    }
  };
  return {
    async start(run) {
      told = run;
      samples = run.startStep > 0 ? await readBefore(store, split, prompts) : prompts.map((prompt) => ({ ...prompt }));
      const missing = samples.filter(({ before }) => before === undefined);
      if (missing.length > 0)
        await orTold("before", () =>
          answer(run, missing, options, (sample, { text, finishReason }) => void (sample.before = { text, finishReason })),
        );
      run.signal?.throwIfAborted();
      await orTold("before", () => writeSamples(store, split, samples));
    },
    log: () => undefined,
    async end(result) {
      if (!result) return;
      await orTold("after", async () => {
        await answer(told, samples, options, (sample, { text, finishReason }, tokens) => {
          sample.after = { text, finishReason };
          sample.tokens = tokens;
        });
        await writeSamples(store, split, samples);
      });
    },
  };
}

/** Answers prompts, as many at once as there is room for. */
async function answer(
  run: TrackedRun,
  samples: readonly Sample[],
  { tokenizer, maxNewTokens, maxLength = Infinity, onProgress }: AnswerSamplesOptions,
  keep: (sample: Sample, result: GenerationResult, tokens: SampleToken[]) => void,
): Promise<void> {
  const { model } = run;
  const { device, base } = model;
  await device.memory.trim(); // room for what is made here
  const limit = Math.min(maxLength, base.maxPositionEmbeddings);
  const rows = samples.map((sample) => ({ sample, maxNewTokens: Math.min(maxNewTokens, limit - sample.ids.length) }));
  const { atOnce, maxCachedTokens } = roomForSamples(
    run,
    rows.map((row) => ({ promptTokens: row.sample.ids.length, newTokens: row.maxNewTokens })),
  );
  await device.recorder.warmUp(); // what was rehearsed to find the room
  const { eosTokenIds, stops: stop } = answerEnd({}, (base as { generationConfig?: GenerationDefaults }).generationConfig ?? {}, tokenizer);
  const ends = [...new Set([...eosTokenIds, ...(tokenizer.eosTokenId === null ? [] : [tokenizer.eosTokenId])])];
  using generator = new TextGenerator(model as GenerationModel, { maxRows: atOnce, maxCachedTokens });
  let done = 0;
  onProgress?.(done, rows.length);
  for (let first = 0; first < rows.length; first += atOnce) {
    const batch = rows.slice(first, first + atOnce);
    const results = await Promise.all(
      batch.map(async ({ sample, maxNewTokens: most }) => {
        const asked = { inputIds: sample.ids, maxNewTokens: most, doSample: false, eosTokenId: ends, stop, tokenizer, signal: run.signal };
        const { result } = generator.generate(asked);
        const made = await result;
        onProgress?.((done += 1), rows.length);
        return made;
      }),
    );
    const scores = await run.scoreTokens(results.map(({ ids }, index) => ({ promptIds: batch[index]!.sample.ids, completionIds: ids })));
    results.forEach((result, index) => keep(batch[index]!.sample, result, tokensOf(result.ids, index, scores, tokenizer)));
  }
  generator.dispose();
  await device.memory.trim(); // the run finds the memory as it would without
}

/** The tokens of an answer with what they have under both models, parts of a character together. */
function tokensOf(ids: readonly number[], row: number, { policy, reference }: TokenScores, tokenizer: Tokenizer): SampleToken[] {
  const stream = new TextStream(tokenizer, { skipSpecialTokens: false });
  const tokens: SampleToken[] = [];
  let first = 0;
  const close = (end: number, text: string): void => {
    const sum = (values: Float32Array): number => short(values.subarray(first, end).reduce((total, value) => total + value, 0));
    const logprob = sum(policy[row]!);
    const compared = reference && sum(reference[row]!);
    tokens.push({
      text,
      ids: ids.slice(first, end),
      logprob,
      ...(compared !== undefined && { ref_logprob: compared, log_ratio: short(logprob - compared) }),
    });
    first = end;
  };
  ids.forEach((id, index) => {
    const text = stream.push(id);
    if (text !== "") close(index + 1, text);
  });
  if (first < ids.length) close(ids.length, stream.end());
  return tokens;
}

/** A number with the digits that an f32 has. */
function short(value: number): number {
  return Number(value.toPrecision(9));
}
