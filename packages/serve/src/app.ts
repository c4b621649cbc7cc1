import { ArgumentError, eventStream, eventStreamHeaders } from "@kto/core";
import { maxNewTokensOf, samplingSettings } from "@kto/generate";
import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { Answers } from "./answers/answers.js";
import { Slots } from "./answers/slots.js";
import { asRequestError, chunksOf, resultsOf } from "./http/answer-request.js";
import { expectHost } from "./http/allowed-host.js";
import { ApiKey } from "./http/api-key.js";
import { Metrics } from "./http/metrics.js";
import { readJson } from "./http/read-json.js";
import { errorAnswer, record, type ServeEnvironment } from "./http/record.js";
import { isStopping, unknownModel, unknownPath, wrongMethod } from "./http/request-errors.js";
import { defaultMaxBodyBytes, defaultMaxQueue, defaultMaxRunning, type ServedModel, type ServeOptions } from "./options.js";
import { ChatReply } from "./replies/chat-reply.js";
import { CompletionReply } from "./replies/completion-reply.js";
import type { Reply } from "./replies/reply.js";
import { TokenTexts } from "./replies/token-texts.js";
import { type GenerationRequest, readChatRequest, readCompletionRequest } from "./request/generation-request.js";
import type { RequestFields } from "./request/fields.js";

/** An OpenAI-compatible server as a web-standard app: `fetch` takes requests, or `route` of another app of Hono mounts it. */
export interface ServeApp {
  readonly app: Hono<ServeEnvironment>;
  /**
   * Takes no more requests, which get 503, and lets those that run end for so long (default 10 s). Resolves when none is under way, to the number that were
   * cut short.
   */
  close(options?: { graceMs?: number }): Promise<number>;
}

/** Every path, and the method that it takes. */
const methods: Readonly<Record<string, "GET" | "POST">> = {
  "/v1/chat/completions": "POST",
  "/v1/completions": "POST",
  "/v1/models": "GET",
  "/health": "GET",
  "/metrics": "GET",
};
const paths = Object.keys(methods);

/** How a kind of request is read and answered. */
interface Endpoint {
  read(fields: RequestFields, options: ServeOptions): GenerationRequest;
  reply(request: GenerationRequest, texts: TokenTexts): Reply;
}

/**
 * Makes the app.
 *
 * @throws ArgumentError for no model or two of a name; GenerationError for defaults out of range
 */
export function createApp(options: ServeOptions): ServeApp {
  expectModels(options.models);
  samplingSettings(options.defaults ?? {}, options.generationConfig); // these two for what they throw
  maxNewTokensOf(options.defaults?.maxNewTokens, options.generationConfig ?? {});
  const { maxRunning = defaultMaxRunning, maxQueue = defaultMaxQueue, maxBodyBytes = defaultMaxBodyBytes } = options;
  const { apiKey, allowedHosts, corsOrigins = [], onError = () => {} } = options;
  const metrics = new Metrics();
  const slots = new Slots({ maxRunning, maxQueue });
  const answers = new Answers(options.generator, slots, metrics);
  const texts = new TokenTexts(options);
  const created = Math.floor(Date.now() / 1000);
  const models = options.models.map(({ id }) => ({ id, object: "model", created, owned_by: "kto" }));
  let isClosing = false;

  const app = new Hono<ServeEnvironment>({ strict: false });
  app.onError((error, c) => errorAnswer(c, asRequestError(error, onError)));
  app.notFound((c) => errorAnswer(c, unknownPath(c.req.path, paths)));
  app.use(record(metrics, paths, options.onRequest));
  if (allowedHosts)
    app.use(async (c, next) => {
      expectHost(c.req.url, allowedHosts);
      await next();
    });
  if (corsOrigins.length > 0)
    app.use(
      cors({
        origin: corsOrigins.includes("*") ? "*" : [...corsOrigins],
        allowMethods: ["GET", "POST"],
        exposeHeaders: ["Retry-After"],
        maxAge: 600,
      }),
    );
  app.get("/health", (c) => (isClosing ? c.json({ status: "stopping" }, 503) : c.json({ status: "ok" })));
  if (apiKey !== undefined) {
    const key = new ApiKey(apiKey);
    app.use(async (c, next) => {
      await key.expect(c.req.header("authorization"));
      await next();
    });
  }
  app.get("/metrics", (c) =>
    c.text(metrics.text({ running: slots.numRunning, waiting: slots.numWaiting }), 200, {
      "Content-Type": "text/plain; version=0.0.4; charset=utf-8",
    }),
  );
  app.get("/v1/models", (c) => c.json({ object: "list", data: models }));
  app.get("/v1/models/:id{.+}", (c) => {
    const model = models.find(({ id }) => id === c.req.param("id"));
    if (!model)
      throw unknownModel(
        c.req.param("id"),
        models.map(({ id }) => id),
      );
    return c.json(model);
  });

  const answer = async (c: Context<ServeEnvironment>, { read, reply }: Endpoint): Promise<Response> => {
    if (isClosing) throw isStopping();
    const request = read(await readJson(c.req.raw, maxBodyBytes), options);
    const answer = await answers.start(request.choices, c.req.raw.signal);
    metrics.promptTokens.add(request.promptTokens);
    c.set("promptTokens", request.promptTokens);
    c.set("newTokens", answer.ended);
    const written = reply(request, texts);
    if (!request.stream) return c.json(written.whole(await resultsOf(answer)));
    const body = eventStream(chunksOf(answer, request, written, onError), answer.leave);
    return c.body(body, 200, { ...eventStreamHeaders });
  };
  app.post("/v1/chat/completions", (c) => answer(c, { read: readChatRequest, reply: (request, shown) => new ChatReply(request, shown) }));
  app.post("/v1/completions", (c) =>
    answer(c, { read: readCompletionRequest, reply: (request, shown) => new CompletionReply(request, shown) }),
  );
  for (const [path, method] of Object.entries(methods))
    app.all(path, (c) => {
      throw wrongMethod(c.req.method, path, method);
    });

  return {
    app,
    close: ({ graceMs = 10_000 } = {}) => {
      isClosing = true;
      slots.close(isStopping());
      return answers.finish(graceMs);
    },
  };
}

function expectModels(models: readonly ServedModel[]): void {
  const ids = models.map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (ids.length > 0 && twice === undefined) return;
  throw new ArgumentError({
    operation: "createApp",
    problem: ids.length === 0 ? "there is no model to serve" : "two models have the same id",
    expected: "an id of its own for each of models, which are at least one",
    got: twice ?? "none",
  });
}
