import type { ErrorBody } from "../errors.js";
import { createApp, type ServeApp } from "../app.js";
import type { ServeOptions } from "../options.js";
import { EchoGenerator, letterOptions } from "./letters.js";

/** An app over an {@link EchoGenerator}, and ways to ask it. */
export class Asking {
  readonly generator: EchoGenerator;
  readonly serving: ServeApp;
  /** What the app said of its own failures. */
  readonly errors: unknown[] = [];

  constructor(options: Partial<ServeOptions> = {}) {
    this.generator = new EchoGenerator();
    this.serving = createApp({ ...letterOptions(this.generator), onError: (error) => this.errors.push(error), ...options });
  }

  async get(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Response> {
    return this.serving.app.request(path, { method, headers });
  }

  /** Posts JSON, or a text as it is. */
  async post(path: string, body: unknown, init: RequestInit = {}): Promise<Response> {
    const headers = { "Content-Type": "application/json" };
    return this.serving.app.request(path, {
      method: "POST",
      headers,
      body: typeof body === "string" ? body : JSON.stringify(body),
      ...init,
    });
  }

  /** A chat whose answer is `!ih>resu<`, backwards, and its end. */
  chat(more: object = {}, init: RequestInit = {}): Promise<Response> {
    return this.post("/v1/chat/completions", { model: "letters", messages: [{ role: "user", content: "hi!" }], ...more }, init);
  }

  /** A completion whose text is `cba`. */
  complete(more: object = {}, init: RequestInit = {}): Promise<Response> {
    return this.post("/v1/completions", { model: "letters", prompt: "abc", max_tokens: 3, ...more }, init);
  }
}

/** The events of a stream. */
export async function eventsOf(response: Response): Promise<unknown[]> {
  const events = (await response.text()).split("\n\n").filter((event) => event !== "");
  return events.map((event) => (event === "data: [DONE]" ? "[DONE]" : (JSON.parse(event.slice(6)) as unknown)));
}

/** Status and error of an answer. */
export async function refusalOf(answer: Response | Promise<Response>): Promise<{ status: number } & ErrorBody["error"]> {
  const response = await answer;
  return { status: response.status, ...((await response.json()) as ErrorBody).error };
}
