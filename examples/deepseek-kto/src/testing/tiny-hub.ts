import { readdirSync, readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fixturePath, readFixtureJsonl } from "@kto/testing/workspace";
import { encodeKtoRows } from "../../../../bench/tutorial/dataset-file.js";
import { startLoopbackHub } from "../../../../packages/hub/src/testing/loopback-hub.js";
import { startPushHub, type PushHub } from "../../../../packages/hub/src/testing/loopback-push.js";

/** The tutorial's repositories, under their names, on loopback. */
export interface TinyHub extends AsyncDisposable {
  readonly endpoint: string;
  readonly token: string;
  /** What was pushed, below `owner`. */
  readonly pushed: PushHub["repos"];
}

/** Names of the notebook. */
const MODEL = "unsloth/DeepSeek-R1-Distill-Qwen-1.5B-unsloth-bnb-4bit";
const DATASET = "trl-lib/kto-mix-14k";

type Rows = Parameters<typeof encodeKtoRows>[0];

/**
 * A hub that has the tutorial's model and data set in small: two layers with the config, the tokenizer and the files of the real one (bitsandbytes with a list of what stays
 * in 16 bits, the R1 template), and the fixtures' conversations in the schema of kto-mix. It takes pushes to `owner/…`.
 */
export async function startTinyHub(): Promise<TinyHub> {
  const [hub, push] = await Promise.all([startLoopbackHub(), startPushHub()]);
  hub.addModel(MODEL, {
    "README.md": "---\nlicense: apache-2.0\n---\n# Tiny\n",
    ...filesIn("model", /^(tokenizer|generation)/),
    ...filesIn("nf4/model-dynamic", /./),
  });
  const rows = readFixtureJsonl<Rows[number]>("kto", "rows.jsonl");
  hub.addDataset(DATASET, {
    "README.md":
      "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n  - split: test\n    path: data/test-*\n---\n",
    "data/train-00000-of-00001.parquet": encodeKtoRows(rows.slice(0, 40)),
    "data/test-00000-of-00001.parquet": encodeKtoRows(rows.slice(40)),
  });
  const isRead = (path: string): boolean => path.includes(MODEL) || path.includes(DATASET);
  const server = createServer((asked, answer) => {
    const { method, headers, url = "/" } = asked;
    const onward = request(new URL(url, isRead(url) ? hub.endpoint : push.endpoint), { method, headers }, (answered) => {
      answer.writeHead(answered.statusCode!, answered.headers);
      answered.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    asked.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: hub.token,
    pushed: push.repos,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await Promise.all([hub[Symbol.asyncDispose](), push[Symbol.asyncDispose]()]);
    },
  };
}

function filesIn(folder: string, pattern: RegExp): Record<string, Uint8Array> {
  const place = fixturePath(...folder.split("/"));
  const names = readdirSync(place).filter((name) => pattern.test(name));
  return Object.fromEntries(names.map((name) => [name, new Uint8Array(readFileSync(join(place, name)))]));
}
