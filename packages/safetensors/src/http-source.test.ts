import { type RequestListener, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { openCheckpoint } from "./checkpoint.js";
import { httpDirectory } from "./directory.js";
import { SourceError } from "./errors.js";
import { httpSource } from "./http-source.js";
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
function rangeServer(files: Record<string, Uint8Array>, seen: string[] = []): RequestListener {
  return (request, response) => {
    seen.push(request.headers.range ?? "none");
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

/** Answers every request with the same thing. */
const always = (status: number, headers: Record<string, string>, body: BodyInit | null = null): typeof fetch => async () => new Response(body, { status, headers }); // prettier-ignore

describe("httpSource", () => {
  it("reads the header in one request and a tensor in another", async () => {
    const seen: string[] = [];
    const bytes = await encodeSafetensors({ x: { dtype: "F32", shape: [50_000], data: numbers } });
    await serving(rangeServer({ "a.safetensors": bytes }, seen), async (url) => {
      const source = await httpSource(`${url}a.safetensors`);
      expect(source.byteLength).toBe(bytes.byteLength);
      const file = await openSafetensors(source);
      expect(seen).toEqual(["bytes=0-65535"]);
      expect(new Float32Array((await file.readRange("x", 199_992, 200_000)).slice().buffer)).toEqual(numbers.subarray(-2));
      expect(new Float32Array((await file.read("x")).data.slice().buffer)).toEqual(numbers);
      expect(seen).toHaveLength(3);
    });
  });

  it("opens a sharded checkpoint; 404 means no such file", async () => {
    const shard = await encodeSafetensors({ x: { dtype: "F32", shape: [2], data: numbers.subarray(0, 2) } });
    const index = new TextEncoder().encode('{"weight_map":{"x":"model-00001-of-00001.safetensors"}}');
    await serving(rangeServer({ "model-00001-of-00001.safetensors": shard, "model.safetensors.index.json": index }), async (url) => {
      const checkpoint = await openCheckpoint(httpDirectory(url.slice(0, -1)));
      expect(checkpoint.totalBytes).toBe(8);
      await expect(openCheckpoint(httpDirectory(`${url}none`))).rejects.toThrow(/no weights/);
    });
  });

  it("takes an empty file", async () => {
    await serving(rangeServer({ empty: new Uint8Array(0) }), async (url) => expect((await httpSource(`${url}empty`)).byteLength).toBe(0));
  });

  const faults: Record<string, [fetch: typeof fetch, message: RegExp, status?: number]> = {
    "server without ranges": [always(200, {}, "everything"), /ignores ranges; expected status 206, got 200/, 200],
    "server that refuses": [always(403, {}), /the server refused; expected status 206, got 403/, 403],
    "no Content-Range": [always(206, {}, "x"), /wrong Content-Range; .* got null/, 206],
    "unknown size": [always(206, { "content-range": "bytes 0-3/*" }, "abcd"), /wrong Content-Range/, 206],
    "another range": [always(206, { "content-range": "bytes 4-7/8" }, "abcd"), /wrong Content-Range; .* got bytes 4-7\/8/, 206],
    "shorter range than asked": [always(206, { "content-range": "bytes 0-3/8" }, "abcd"), /wrong Content-Range/, 206],
    "body shorter than its range": [
      always(206, { "content-range": "bytes 0-7/8" }, "abcd"),
      /body and Content-Range differ; expected 8 bytes, got 4/,
      206,
    ],
    "no network": [() => Promise.reject(new TypeError("fetch failed")), /the request failed/],
  };
  for (const [what, [fetch, message, status]] of Object.entries(faults)) {
    it(`refuses: ${what}`, async () => {
      const error: unknown = await httpSource("https://example.org/a.safetensors", { fetch }).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(SourceError);
      expect((error as SourceError).message).toMatch(message);
      expect((error as SourceError).status).toBe(status);
      expect((error as SourceError).source).toBe("https://example.org/a.safetensors");
    });
  }

  it("notices that the file changed between requests", async () => {
    let version = 0;
    const fetch: typeof globalThis.fetch = async (_, init) => {
      const [from, to] = (init!.headers as Record<string, string>).range!.slice(6).split("-").map(Number);
      version += 1;
      return new Response(new Uint8Array(to! + 1 - from!), {
        status: 206,
        headers: { "content-range": `bytes ${from}-${to}/200000`, etag: `"${version}"` },
      });
    };
    const source = await httpSource("https://example.org/a", { fetch });
    await expect(source.slice(70_000, 70_008)).rejects.toThrow(/changed while it was read/);
  });

  it("sends headers, and rejects with the reason of its signal", async () => {
    const controller = new AbortController();
    const reason = new Error("stop");
    let authorization: string | undefined;
    const fetch: typeof globalThis.fetch = async (_, init) => {
      authorization = (init!.headers as Record<string, string>).authorization;
      controller.abort(reason);
      init!.signal!.throwIfAborted();
      return new Response();
    };
    await expect(
      httpSource("https://example.org/a", { fetch, signal: controller.signal, headers: { authorization: "Bearer x" } }),
    ).rejects.toBe(reason);
    expect(authorization).toBe("Bearer x");
  });
});
