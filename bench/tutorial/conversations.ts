import type { MersenneTwister } from "@kto/datasets";
import { below, generatorFor, normal, uniform } from "./random.js";

export interface Message {
  content: string;
  role: "user" | "assistant";
}

/** A row in the schema of trl-lib/kto-mix-14k. */
export interface KtoMixRow {
  prompt: Message[];
  completion: Message[];
  label: boolean;
}

const words =
  `the a of and to in that it is was for on are as with they at be this from have or by one had not but what all were when we there can an your which their said
   if do will each about how up out them then she many some so these would other into has more her two like him see time could no make than first been its who now
   people my made over did down only way find use may water long little very after words called just where most know get through back much before go good new write
   our used me man too any day same right look think also around another came come work three word must because does part even place well such here take why things
   help put years different away again off went old number great tell men say small every found still between name should home big give air line set own under read
   last never us left end along while might next sound below saw something thought both few those always looked show large often together asked house world going
   want school important until form food keep children feet land side without boy once animal life enough took sometimes four head above kind began almost live page
   got earth need far hand high year mother light country father let night picture being study second soon story since white ever paper hard near sentence better
   best across during today others however sure means knew try told young sun thing whole hear example heard several change answer room sea against top turned learn
   point city play toward five using himself usually money seen car morning body upon family later turn move face door cut done group true half red fish plants`.split(
    /\s+/u,
  );

/** Tokens of the chat template around a conversation: BOS, two markers and EOS. */
const TEMPLATE_TOKENS = 4;
/** Parameters of the lengths: a log-normal total, and a logit-normal share of the prompt, which stays below trl's `max_length` of 1,024 so that no row is dropped. */
const lengths = { median: 400, sigma: 0.83, min: 64, max: 2048, maxPrompt: 960, promptLogit: -0.38, promptLogitSigma: 0.41 };
const MULTI_TURN_SHARE = 0.2;

/**
 * Rows of English-looking text whose token lengths are spread as those of a real preference set (median about 400 tokens in all, from 64 to 2,048,
 * some 40 % of them prompt), one in five with an earlier exchange in its prompt, half of them labelled true. Lengths are right to a few per cent:
 * every word used is one token of Qwen's vocabulary.
 */
export function conversations(numRows: number, seed: number): KtoMixRow[] {
  return Array.from({ length: numRows }, (_, row) => conversation(generatorFor(seed, `row ${row}`)));
}

function conversation(random: MersenneTwister): KtoMixRow {
  const drawn = lengths.median * Math.exp(lengths.sigma * normal(random));
  const total = Math.min(lengths.max, Math.max(lengths.min, drawn)) - TEMPLATE_TOKENS;
  const share = 1 / (1 + Math.exp(-(lengths.promptLogit + lengths.promptLogitSigma * normal(random))));
  const promptTokens = Math.min(lengths.maxPrompt, total * share);
  const user = (tokens: number): Message => ({ content: text(random, tokens), role: "user" });
  const assistant = (tokens: number): Message => ({ content: text(random, tokens), role: "assistant" });
  const prompt =
    uniform(random) < MULTI_TURN_SHARE
      ? [user(promptTokens * 0.3), assistant(promptTokens * 0.4), user(promptTokens * 0.3)]
      : [user(promptTokens)];
  return { prompt, completion: [assistant(total - promptTokens)], label: uniform(random) < 0.5 };
}

/** Sentences of about that many tokens: one a word, one for each comma and full stop, one for the line break between paragraphs. */
function text(random: MersenneTwister, tokens: number): string {
  let written = "";
  for (let count = 0; count < Math.max(2, Math.round(tokens));) {
    const numWords = Math.max(1, Math.min(6 + below(random, 14), Math.round(tokens) - count - 1));
    const sentence = Array.from({ length: numWords }, () => words[below(random, words.length)]!);
    const comma = numWords > 8 ? 3 + below(random, numWords - 5) : -1;
    if (comma >= 0) sentence[comma] += ",";
    const first = sentence[0]!;
    sentence[0] = first[0]!.toUpperCase() + first.slice(1);
    written += `${written === "" ? "" : uniform(random) < 0.15 ? "\n\n" : " "}${sentence.join(" ")}.`;
    count += numWords + 1 + (comma >= 0 ? 1 : 0);
  }
  return written;
}
