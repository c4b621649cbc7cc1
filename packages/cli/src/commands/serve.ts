import { isKtoError } from "@kto/core";
import { expectFreePort } from "@kto/core/node";
import { TextGenerator } from "@kto/generate";
import type { ServedModel, ServedRequest } from "@kto/serve";
import { isLoopback, serve } from "@kto/serve/node";
import { commandValues, expectNoOperands } from "../config/check-command.js";
import { environmentKey, serveFields } from "../config/serve-fields.js";
import { errorLines, InterruptedError } from "../errors.js";
import { hubAccess } from "../load/hub-access.js";
import { expectTokenizer, noteStandIn, openModelToAsk } from "../load/model-to-ask.js";
import { findNamedAdapters, lastPart, loadNamedAdapters, namedAdapters } from "../load/named-adapters.js";
import { commandDevice, loadWeights, operandDtype } from "../load/on-device.js";
import { clip, formatCount } from "../render/format.js";
import type { Command, CommandInput } from "./command.js";

export const serveCommand: Command = {
  name: "serve",
  summary: "an OpenAI-compatible server of a model and its adapters",
  usage: "kto serve --model M [--adapter [NAME=]A …] [--host H] [--port N] [--field value …]",
  examples: [
    ["kto serve --model Qwen/Qwen2-0.5B-Instruct --adapter mine=outputs", "the base, and an adapter as the model mine"],
    ["KTO_API_KEY=secret kto serve --model ./model --host 0.0.0.0", "for other machines, with a key"],
  ],
  fields: serveFields,
  run: runServe,
};

async function runServe(input: CommandInput): Promise<never> {
  const { io, console } = input;
  const { key, mistakes } = environmentKey(io.env);
  const values = commandValues("serve", serveFields, input, [...expectNoOperands("serve", input.operands), ...mistakes]);
  const apiKey = values.apiKey ?? key;
  const named = namedAdapters(values.adapters ?? [], values.model);
  await expectFreePort(values.host, values.port);
  const access = hubAccess(io, console);
  const adapters = await findNamedAdapters(named, access);
  const { files, sampling, room } = await openModelToAsk(values, access, console);
  const tokenizer = expectTokenizer(files);
  noteStandIn(tokenizer, console);

  await using device = await commandDevice(input);
  using base = await loadWeights(files, device, console, { ...values, dtype: operandDtype(values.dtype, device), signal: io.signal });
  using adapted = adapters.length > 0 ? await loadNamedAdapters(base, adapters) : undefined;
  const maxRunning = values.perDeviceEvalBatchSize;
  using generator = new TextGenerator(adapted ?? base, { maxRows: maxRunning, maxCachedTokens: values.ctxSize ?? undefined });
  const contextSize = Math.min(room.limit, values.ctxSize ?? Infinity);
  const models: ServedModel[] = [{ id: lastPart(values.model), adapter: null }, ...named.map(({ name }) => ({ id: name, adapter: name }))];

  const end = ending(io.signal);
  let numServed = 0;
  const server = await serve({
    generator,
    tokenizer,
    vocabSize: base.vocabSize,
    contextSize,
    models,
    generationConfig: base.generationConfig,
    defaults: sampling,
    apiKey,
    corsOrigins: values.cors ?? [],
    maxRunning,
    maxQueue: values.maxQueue,
    host: values.host,
    port: values.port,
    onRequest: (request) => {
      numServed++;
      console.line(requestLine(request));
    },
    onError: (error) => {
      for (const line of errorLines(error)) console.warn(line.replace(/^kto: /, ""));
      if (isKtoError(error) && error.code === "DEVICE_LOST") end.fail(error);
    },
  });
  input.begin();
  console.fact("models", models.map(({ id }) => id).join(", "));
  console.fact(
    "limits",
    `${formatCount(contextSize)} tokens of context, ${maxRunning} answers together, ${values.maxQueue} requests that wait`,
  );
  if (apiKey === undefined && !(await isLoopback(values.host)))
    console.warn(`whoever reaches ${values.host} is answered, since there is no key; set KTO_API_KEY, or leave out --host`);
  io.stdout.write(`listening on ${server.url}\n`);
  try {
    await end.promise;
  } finally {
    const numCut = await server.close();
    if (numCut > 0) console.warn(`${formatCount(numCut)} ${numCut === 1 ? "request was" : "requests were"} cut short`);
  }
  throw new InterruptedError(`stopped; ${formatCount(numServed)} ${numServed === 1 ? "request was" : "requests were"} answered`);
}

/** Resolves when a signal ends the command, rejects when the server cannot go on. */
function ending(signal: AbortSignal | undefined): { promise: Promise<void>; fail(error: unknown): void } {
  let fail: (error: unknown) => void = () => {};
  const promise = new Promise<void>((resolve, reject) => {
    fail = reject;
    if (signal?.aborted) resolve();
    signal?.addEventListener("abort", () => resolve(), { once: true });
  });
  promise.catch(() => {}); // whoever waits for it is told
  return { promise, fail };
}

/** `POST /v1/chat/completions 200, 12 + 34 tokens, 1.2 s`. */
function requestLine({ method, path, status, promptTokens, newTokens, elapsedMs }: ServedRequest): string {
  const tokens = promptTokens > 0 ? `, ${promptTokens} + ${newTokens} tokens` : "";
  return `${method} ${clip(path, 40)} ${status}${tokens}, ${(elapsedMs / 1000).toFixed(elapsedMs < 10_000 ? 2 : 0)} s`;
}
