import { parentPort, workerData } from "node:worker_threads";
import { Tokenizer, type TokenizerParts } from "@kto/tokenizer";
import { tokenizeBatch, tokenizeRow, type RowBatch, type WorkerSetup } from "@kto/trainer";

// A thread that tokenises: it is given what the tokenizer is made of when it starts, then batches of rows, which it answers in their order.

const { settings, tokenizer: parts } = workerData as WorkerSetup;
const tokenizer = Tokenizer.fromParts(parts as TokenizerParts);
const tokenize: Parameters<typeof tokenizeBatch>[1]["tokenize"] = (row, index, options) =>
  tokenizeRow(row as Parameters<typeof tokenizeRow>[0], index, { ...options, ...settings });

const port = parentPort!;
const post = (message: unknown, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

port.on("message", (batch: RowBatch) => {
  const tokens = tokenizeBatch(batch, { tokenize }, tokenizer);
  post(tokens, [tokens.bytes.buffer as ArrayBuffer, tokens.sizes.buffer as ArrayBuffer]);
});
post("ready");
