import { KtoError } from "@kto/core";
import { beforeEach, describe, expect, it } from "vitest";
import { createApp, type ServedRequest, type ServeOptions } from "./index.js";
import { Asking, refusalOf } from "./testing/asking.js";
import { EchoGenerator, letterOptions } from "./testing/letters.js";

let asking: Asking;
beforeEach(() => (asking = new Asking()));

describe("models, health and metrics", () => {
  it("lists the base and each adapter", async () => {
    const model = (id: string): object => ({ id, object: "model", created: expect.any(Number) as number, owned_by: "kto" });
    expect(await (await asking.get("/v1/models")).json()).toEqual({ object: "list", data: [model("letters"), model("tuned")] });
    expect(await (await asking.get("/v1/models/tuned")).json()).toEqual(model("tuned"));
    expect(await refusalOf(asking.get("/v1/models/other"))).toMatchObject({ status: 404, code: "model_not_found" });
  });

  it("counts requests, tokens and times", async () => {
    await asking.chat();
    await asking.complete();
    await asking.chat({ n: 0 });
    await asking.get("/no/such/path");
    const text = await (await asking.get("/metrics")).text();
    expect(text.split("\n")).toEqual(
      expect.arrayContaining([
        "# TYPE kto_requests_total counter",
        'kto_requests_total{path="/v1/chat/completions",status="200"} 1',
        'kto_requests_total{path="/v1/chat/completions",status="400"} 1',
        'kto_requests_total{path="other",status="404"} 1',
        "kto_answers_running 0",
        "kto_requests_waiting 0",
        "kto_prompt_tokens_total 12",
        "kto_generated_tokens_total 13",
        'kto_time_to_first_token_seconds_bucket{le="+Inf"} 2',
        "kto_time_per_token_seconds_count 2",
      ]),
    );
    expect(text.endsWith("\n")).toBe(true);
  });

  it("tells of each request when its answer has ended, streams too", async () => {
    const served: ServedRequest[] = [];
    asking = new Asking({ onRequest: (request) => served.push(request) });
    await (await asking.chat({ stream: true })).text();
    await asking.chat({ n: -1 });
    expect(served).toMatchObject([
      { method: "POST", path: "/v1/chat/completions", status: 200, promptTokens: 9, newTokens: 10 },
      { status: 400, promptTokens: 0, newTokens: 0 },
    ]);
  });
});

describe("keys and origins", () => {
  it("asks for the key everywhere but for health", async () => {
    asking = new Asking({ apiKey: "secret" });
    for (const authorization of ["", "Bearer", "Bearer wrong", "Bearer secret1", "Basic secret", "secret"])
      expect(await refusalOf(asking.get("/v1/models", { authorization }))).toMatchObject({ status: 401, code: "invalid_api_key" });
    expect(await refusalOf(asking.get("/metrics", {}))).toMatchObject({ status: 401 });
    expect(await refusalOf(asking.get("/no/such/path", {}))).toMatchObject({ status: 401 });
    expect(await refusalOf(asking.chat())).toMatchObject({ status: 401 });
    expect((await asking.get("/v1/models", { authorization: "Bearer secret" })).status).toBe(200);
    expect((await asking.get("/health", {})).status).toBe(200);
  });

  it("lets pages of named origins in, and none by default", async () => {
    const preflight = {
      origin: "https://a.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,x-stainless-os",
    };
    expect((await asking.get("/v1/models", preflight)).headers.get("access-control-allow-origin")).toBeNull();
    expect((await asking.get("/v1/chat/completions", preflight, "OPTIONS")).status).toBe(405);
    asking = new Asking({ apiKey: "secret", corsOrigins: ["https://a.example"] });
    const allowed = await asking.get("/v1/chat/completions", preflight, "OPTIONS");
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get("access-control-allow-headers")).toBe("authorization,x-stainless-os");
    const refused = await asking.get("/v1/models", { origin: "https://a.example" });
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, "https://a.example"]);
    expect((await asking.get("/v1/models", { origin: "https://b.example" })).headers.get("access-control-allow-origin")).toBeNull();
  });
});

it("refuses no models, two of a name, defaults out of range", () => {
  const made = (options: Partial<ServeOptions>) => () => createApp({ ...letterOptions(new EchoGenerator()), ...options });
  expect(made({ models: [] })).toThrow("there is no model to serve");
  expect(
    made({
      models: [
        { id: "a", adapter: null },
        { id: "a", adapter: "b" },
      ],
    }),
  ).toThrow("two models have the same id");
  expect(made({ defaults: { topP: 2 } })).toThrow(KtoError);
  expect(made({ defaults: { maxNewTokens: 0 } })).toThrow(KtoError);
  expect(made({ generationConfig: { max_new_tokens: "many" } })).toThrow("max_new_tokens of generation_config.json is not usable");
});
