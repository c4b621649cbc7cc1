import { parentPort, workerData } from "node:worker_threads";
import { Tokenizer, type TokenizerParts } from "@kto/tokenizer";
import { batchTokenizer, type RowBatch, type WorkerSetup } from "@kto/trainer";

// A thread that tokenises: it is given what the tokenizer is made of when it starts, then batches of rows, which it answers in their order.

const setup = workerData as WorkerSetup;
const tokenize = batchTokenizer(setup, Tokenizer.fromParts(setup.tokenizer as TokenizerParts));

const port = parentPort!;
const post = (message: unknown, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

port.on("message", (batch: RowBatch) => {
  const tokens = tokenize(batch);
  post(tokens, [tokens.bytes.buffer as ArrayBuffer, tokens.sizes.buffer as ArrayBuffer]);
});
post("ready");
