import { type RequestListener, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { httpDirectory, httpSource } from "@kto/core";
import { expect, it } from "vitest";
import { openCheckpoint } from "./checkpoint.js";
import { openSafetensors } from "./safetensors-file.js";
import { encodeSafetensors } from "./writer.js";

const numbers = Float32Array.from({ length: 50_000 }, (_, i) => i);

async function serving<T>(listener: RequestListener, use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/repo/`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** A server with ranges, as a plain file server answers. */
function rangeServer(files: Record<string, Uint8Array>): RequestListener {
  return (request, response) => {
    const bytes = files[request.url!.slice("/repo/".length)];
    if (!bytes) return void response.writeHead(404).end();
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "")!.map(Number);
    if (from! >= bytes.byteLength) return void response.writeHead(416, { "content-range": `bytes */${bytes.byteLength}` }).end();
    const end = Math.min(to! + 1, bytes.byteLength);
    response
      .writeHead(206, { "content-range": `bytes ${from}-${end - 1}/${bytes.byteLength}`, etag: '"1"' })
      .end(bytes.subarray(from, end));
  };
}

it("reads a tensor over HTTP", async () => {
  const bytes = await encodeSafetensors({ x: { dtype: "F32", shape: [50_000], data: numbers } });
  await serving(rangeServer({ "a.safetensors": bytes }), async (url) => {
    const file = await openSafetensors(await httpSource(`${url}a.safetensors`));
    expect(new Float32Array((await file.readRange("x", 199_992, 200_000)).slice().buffer)).toEqual(numbers.subarray(-2));
    expect(new Float32Array((await file.read("x")).data.slice().buffer)).toEqual(numbers);
  });
});

it("opens a sharded checkpoint over HTTP; 404 means no such file", async () => {
  const shard = await encodeSafetensors({ x: { dtype: "F32", shape: [2], data: numbers.subarray(0, 2) } });
  const index = new TextEncoder().encode('{"weight_map":{"x":"model-00001-of-00001.safetensors"}}');
  await serving(rangeServer({ "model-00001-of-00001.safetensors": shard, "model.safetensors.index.json": index }), async (url) => {
    const checkpoint = await openCheckpoint(httpDirectory(url.slice(0, -1)));
    expect(checkpoint.totalBytes).toBe(8);
    await expect(openCheckpoint(httpDirectory(`${url}none`))).rejects.toThrow(/no weights/);
  });
});
