import { type RequestListener, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { httpDirectory } from "./directory.js";
import { SourceError } from "../errors.js";
import { httpSource } from "./http-source.js";

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
  it("reads the beginning in one request and what is asked for in others", async () => {
    const seen: string[] = [];
    await serving(rangeServer({ numbers: new Uint8Array(numbers.buffer) }, seen), async (url) => {
      const source = await httpSource(`${url}numbers`);
      expect(source.byteLength).toBe(200_000);
      expect(seen).toEqual(["bytes=0-65535"]);
      expect(new Float32Array((await source.slice(8, 16)).slice().buffer)).toEqual(numbers.subarray(2, 4));
      expect(seen).toHaveLength(1);
      expect(new Float32Array((await source.slice(199_992, 200_000)).slice().buffer)).toEqual(numbers.subarray(-2));
      expect(seen[1]).toBe("bytes=199992-199999");
    });
  });

  it("takes an empty file", async () => {
    await serving(rangeServer({ empty: new Uint8Array(0) }), async (url) => expect((await httpSource(`${url}empty`)).byteLength).toBe(0));
  });

  const faults: Record<string, [fetch: typeof fetch, message: RegExp, status?: number]> = {
    "server without ranges, of too large a file": [
      always(200, { "content-length": String(2 ** 30 + 1) }, "everything"),
      /ignores ranges and the file is too large to keep; expected status 206, or at most 1073741824 bytes, got 200 with more/,
      200,
    ],
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

describe("servers that ignore ranges", () => {
  it("gives the whole file, read once, and tells", async () => {
    let requests = 0;
    const onWholeFile = vi.fn();
    const plain: RequestListener = (_, response) => {
      requests++;
      response.writeHead(200, { "content-type": "application/octet-stream" }).end(new Uint8Array(numbers.buffer));
    };
    await serving(plain, async (url) => {
      const source = await httpSource(`${url}numbers`, { onWholeFile });
      expect(source.byteLength).toBe(200_000);
      expect(new Float32Array((await source.slice(100_000, 100_008)).slice().buffer)).toEqual(numbers.subarray(25_000, 25_002));
      expect(new Float32Array((await source.slice(0, 200_000)).slice().buffer)).toEqual(numbers);
      expect(requests).toBe(1);
      expect(onWholeFile.mock.calls).toEqual([[{ url: `${url}numbers`, byteLength: 200_000 }]]);
    });
  });
});

describe("httpDirectory", () => {
  const page = "<!-- app -->\n<!doctype html><html><body>everything else</body></html>";

  it("opens files by name, also in folders inside; 404 means no such file", async () => {
    const files = { "a b.json": new Uint8Array(2), "checkpoint-5/x": new Uint8Array(3) };
    const decoded: RequestListener = (request, response) => {
      request.url = decodeURI(request.url!);
      rangeServer(files)(request, response);
    };
    await serving(decoded, async (url) => {
      const directory = httpDirectory(url.slice(0, -1));
      expect(directory.name).toBe(url);
      expect((await directory.open("a b.json"))?.byteLength).toBe(2);
      expect((await directory.open("checkpoint-5/x"))?.byteLength).toBe(3);
      expect(await directory.open("none")).toBeUndefined();
    });
  });

  it("takes a page of HTML in place of a file for none, with and without ranges", async () => {
    for (const status of [200, 206]) {
      const headers = { "content-type": "text/html; charset=utf-8", "content-range": `bytes 0-${page.length - 1}/${page.length}` };
      const fetch = always(status, headers, page);
      const directory = httpDirectory("https://example.org/model", { fetch });
      for (const name of ["generation_config.json", "model.safetensors", "chat_template.jinja"]) {
        expect(await directory.open(name)).toBeUndefined();
      }
      expect((await directory.open("index.html"))?.byteLength).toBe(page.length);
    }
    const json = always(200, { "content-type": "text/html" }, "{}"); // a server that knows no types
    expect((await httpDirectory("https://example.org", { fetch: json }).open("config.json"))?.byteLength).toBe(2);
  });

  it("resolves a relative URL against the page, or the worker; where there is neither it says what to do", () => {
    expect(() => httpDirectory("/model/")).toThrow(
      'httpDirectory: there is no page that the URL could be relative to; expected a complete URL, got "/model/"; begin it with https://, or read a folder with fileDirectory of @kto/core/node',
    );
    const pages: [globals: object, base: string][] = [
      [{ document: { baseURI: "https://example.org/app/" } }, "https://example.org/app/model/"],
      [{ location: new URL("https://example.org/app/worker.js") }, "https://example.org/app/model/"],
      [{ location: new URL("blob:https://example.org/0b5e") }, "https://example.org/model/"],
    ];
    for (const [globals, url] of pages) {
      for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
      expect(httpDirectory("model").name).toBe(url);
      expect(httpDirectory("/model/").name).toBe("https://example.org/model/");
      vi.unstubAllGlobals();
    }
  });
});
