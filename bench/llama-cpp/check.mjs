import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

// Loads what `kto export-gguf` writes in llama.cpp, and compares token ids, greedy tokens and log-probabilities with those of `kto`: see README.md.

const root = fileURLToPath(new URL("../..", import.meta.url));
const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "packages/testing/fixtures/model" },
    adapter: { type: "string", default: "packages/testing/fixtures/lora/main" },
    tokens: { type: "string", default: "32" },
  },
});
const model = resolve(root, options.model);
const adapter = resolve(root, options.adapter);

/**
 * Kinds of files, and how far the log-probability of a token (nats) may be from that of the f32 weights: sums in another order; weights of 16 bits; weights
 * and activations of 8 bits.
 */
const noiseOf = { F32: 1e-4, F16: 2e-2, Q8_0: 0.5 };

const prompts = [
  "is the one that",
  "What is it? 12345 and 67, or 8.9",
  "  two blanks\n\nand lines\t",
  "Ünïcödé – 漢字 🙂",
  "<｜User｜>What is the one?<｜Assistant｜><think>\n",
  "def double(x):\n    return x + x  # don't",
];

const scratch = mkdtempSync(join(tmpdir(), "kto-llama-cpp-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

/** The lines that a command gives with --json, parsed. Throws where it fails, which it says itself. */
function kto(...args) {
  const io = { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] };
  const out = execFileSync("npm", ["run", "--silent", "kto", "--", ...args, "--json", "--quiet"], io);
  return out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

function dataFile(name, rows) {
  const path = join(scratch, name);
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return path;
}

/** What kto makes of the prompts: their ids, the greedy answers, and the log-probability of each of their tokens, all in f32. */
function ownAnswers(...withAdapter) {
  const source = ["--model", model, "--dtype", "float32", ...withAdapter];
  const greedy = ["--do_sample", "false", "--repetition_penalty", "1", "--max_new_tokens", options.tokens];
  const rows = prompts.map((prompt) => ({ prompt, completion: " it", label: true }));
  const promptIds = kto("score", ...source, "--data", dataFile("prompts.jsonl", rows)).map(({ prompt_ids: ids }) => ids);
  const questions = dataFile(
    "questions.jsonl",
    prompts.map((prompt) => ({ prompt })),
  );
  const answers = kto("generate", ...source, ...greedy, "--data", questions).map(({ ids }) => ids);
  const answered = answers.map((ids, index) => ({ prompt_ids: promptIds[index], completion_ids: ids, label: true }));
  const scored = kto("score", ...source, "--data", dataFile("answers.jsonl", answered));
  return scored.map(({ token_logps: logps }, index) => ({ promptIds: promptIds[index], ids: answers[index], logps }));
}

/** For each token of an answer the tokens that llama.cpp could take at its place, as [id, log-probability], the likeliest first. */
async function candidatesOf(loaded, lora, { promptIds, ids }) {
  const all = [...promptIds, ...ids.slice(0, -1)];
  const asked = all.map((id, at) => (at < promptIds.length - 1 ? id : [id, { generateNext: { probabilities: true } }]));
  const context = await loaded.createContext({
    contextSize: all.length,
    flashAttention: false, // with it, queries are f16 on the CPU, which moves as much as weights of f16 do
    experimentalKvCacheKeyType: "F32",
    experimentalKvCacheValueType: "F32",
    ...(lora && { lora }),
  });
  const evaluated = await context.getSequence().controlledEvaluate(asked);
  await context.dispose();
  return evaluated.slice(promptIds.length - 1).map(({ next }) => Array.from(next.probabilities, ([id, p]) => [id, Math.log(p)]));
}

/** Compares one file with kto's answers. */
async function compare(llama, { what, path, lora, noise, answers }) {
  const loaded = await llama.loadModel({ modelPath: path });
  const bos = loaded.tokens.shouldPrependBosToken ? [loaded.tokens.bos] : [];
  let [promptsAlike, tokens, alike, moved, widest] = [0, 0, 0, 0, 0];
  for (const [index, answer] of answers.entries()) {
    if ([...bos, ...loaded.tokenize(prompts[index], true)].join() === answer.promptIds.join()) promptsAlike++;
    for (const [at, candidates] of (await candidatesOf(loaded, lora, answer)).entries()) {
      const own = answer.ids[at];
      const [[best, first], [, second]] = candidates;
      moved = Math.max(moved, Math.abs(new Map(candidates).get(own) - answer.logps[at]));
      tokens++;
      if (best === own) alike++;
      else widest = Math.max(widest, first - second);
    }
  }
  await loaded.dispose();
  // Two log-probabilities that move by so much each may change places where they were twice as far apart.
  const isGood = promptsAlike === prompts.length && tokens > 0 && moved <= noise && widest <= 2 * moved;
  return { what, promptsAlike, tokens, alike, moved, widest, isGood };
}

function print(rows) {
  const table = [
    ["file", "prompts", "greedy tokens", "moved by", "widest gap", ""],
    ...rows.map(({ what, promptsAlike, tokens, alike, moved, widest, isGood }) => [
      what,
      `${promptsAlike} of ${prompts.length}`,
      `${alike} of ${tokens}`,
      moved.toExponential(1),
      alike === tokens ? "–" : widest.toFixed(3),
      isGood ? "alike" : "NOT ALIKE",
    ]),
  ];
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  for (const row of table) console.log(row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd()); // prettier-ignore
}

try {
  const { getLlama, LlamaLogLevel } = await import("node-llama-cpp").catch((cause) => {
    throw new Error(`check: node-llama-cpp is not installed; run npm install in ${join(root, "bench/llama-cpp")}`, { cause });
  });
  const exported = (...args) => kto("export-gguf", "--model", model, ...args)[0].files;
  const plain = exported("--out", join(scratch, "plain"), "--type", ...Object.keys(noiseOf));
  const [merged] = exported("--adapter", adapter, "--out", join(scratch, "merged.gguf"), "--type", "F32");
  const [alone] = exported("--adapter", adapter, "--adapter-only", "--out", join(scratch, "adapter.gguf"));
  const [answers, adapted] = [ownAnswers(), ownAnswers("--adapter", adapter)];
  const files = [
    ...plain.map(({ path, type }) => ({ what: type, path, noise: noiseOf[type], answers })),
    { what: "F32, adapter merged", path: merged.path, noise: noiseOf.F32, answers: adapted },
    { what: "F32, adapter beside it", path: plain[0].path, lora: alone.path, noise: noiseOf.F32, answers: adapted },
  ];
  const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error });
  const rows = [];
  for (const file of files) rows.push(await compare(llama, file));
  console.log(`${options.model}, llama.cpp ${llama.llamaCppRelease.release} on the CPU`);
  print(rows);
  process.exitCode = rows.every(({ isGood }) => isGood) ? 0 : 1;
  await llama.dispose();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
