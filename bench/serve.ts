/**
 * A server over many requests: `npm run bench -- serve [REQUESTS]`, by default 1,000. Whole answers, streams, several choices, log-probabilities, clients that
 * leave, bodies that are refused, ten at a time, on the tiny model of the fixtures. Memory of the process and buffers in use on the device may grow by 5 % at
 * most between request 100 and the last; status 1 if they do. Buffers that are kept for reuse are told of besides: there are as many as the most varied passes
 * together needed. The clients are a process of their own.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { TextGenerator } from "@kto/generate";
import { loadModel, openDevice } from "@kto/kit";
import { serve } from "@kto/serve/node";
import { fixturePath } from "@kto/testing/workspace";

const together = 10;
const firstMark = 100;
const most = 0.05;

/** What is asked in turn; what a client does not wait for it leaves. */
const kinds: readonly { body: object | string; expected: number; leaves?: boolean }[] = [
  { body: { max_tokens: 8 }, expected: 200 },
  { body: { max_tokens: 8, stream: true, stream_options: { include_usage: true } }, expected: 200 },
  { body: { max_tokens: 4, n: 3, temperature: 1, seed: 1 }, expected: 200 },
  { body: { max_tokens: 4, logprobs: 5 }, expected: 200 },
  { body: { max_tokens: 500, stream: true, temperature: 1 }, expected: 200, leaves: true },
  { body: { max_tokens: 0 }, expected: 400 },
  { body: " ".repeat(3 * 2 ** 20), expected: 413 },
];

async function ask(url: string, index: number): Promise<void> {
  const { body, expected, leaves } = kinds[index % kinds.length]!;
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify({ model: "tiny", prompt: `${index} is a number, and so is`, ...body }),
  });
  if (response.status !== expected) throw new Error(`expected status ${expected}, got ${response.status}: ${await response.text()}`);
  if (!leaves) return void (await response.arrayBuffer());
  const reader = response.body!.getReader();
  await reader.read();
  await reader.cancel();
}

/** In the process of the clients: asks for the numbers that it is sent, and says when it has been answered. */
function beClients(url: string): void {
  process.on("message", ([from, to]: [number, number]) => {
    let next = from;
    const client = async (): Promise<void> => {
      while (next < to) await ask(url, next++);
    };
    void Promise.all(Array.from({ length: together }, client)).then(
      () => process.send!("done"),
      (error: unknown) => process.send!(`${String(error)} ${String((error as Error).cause)}`),
    );
  });
}

async function beServer(numRequests: number): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  await using device = await openDevice();
  using model = await loadModel(fixturePath("model"), { device });
  using generator = new TextGenerator(model, { maxRows: 8, maxCachedTokens: 2048 });
  const { tokenizer, vocabSize } = model;
  const models = [{ id: "tiny", adapter: null }];
  const server = await serve({ generator, tokenizer: tokenizer!, vocabSize, contextSize: 1024, models, maxRunning: 8, port: 0 });
  const clients = fork(fileURLToPath(import.meta.url), [server.url], { execArgv: process.execArgv });
  const askAll = (from: number, to: number): Promise<void> =>
    new Promise((resolve, reject) => {
      clients.once("message", (said: string) => (said === "done" ? resolve() : reject(new Error(said))));
      clients.send([from, to]);
    });
  const memory = async (): Promise<{ rss: number; inUse: number; kept: number }> => {
    while (generator.numRows > 0) await pause(10);
    await askAll(0, 1); // an answer that nobody leaves: what was under way for others is over
    for (let round = 0; round < 10; round++) {
      collect();
      await pause(100); // the collector gives pages back bit by bit
    }
    const { inUseBytes: inUse, freeBytes: kept } = device.memory.info();
    return { rss: process.memoryUsage.rss(), inUse, kept };
  };
  const report = (done: number, { rss, inUse, kept }: Awaited<ReturnType<typeof memory>>): void =>
    console.log(`${done} requests: process ${mebibytes(rss)}, buffers in use ${mebibytes(inUse)}, kept ${mebibytes(kept)}`);
  try {
    const started = performance.now();
    await askAll(0, firstMark);
    const first = await memory();
    report(firstMark, first);
    let last = first;
    for (let done = firstMark; done < numRequests; done += firstMark) {
      const next = Math.min(numRequests, done + firstMark);
      await askAll(done, next);
      report(next, (last = await memory()));
    }
    console.log(`${device.capabilities.description}, ${((performance.now() - started) / 1000).toFixed(0)} s`);
    for (const [what, share] of [
      ["process", last.rss / first.rss - 1],
      ["buffers in use", last.inUse / first.inUse - 1],
    ] as const) {
      console.log(`${what}: ${(100 * share).toFixed(1)} %; ${100 * most} may be`);
      if (share > most) process.exitCode = 1;
    }
  } finally {
    clients.disconnect();
    await server.close();
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

if (process.send) beClients(process.argv[2]!);
else await beServer(Number(process.argv[2] ?? 1000));
