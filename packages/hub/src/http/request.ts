import { excerpt } from "@kto/core";
import { HubError } from "../errors.js";
import type { HubClient } from "./client.js";
import { type Asked, refusal } from "./refusal.js";
import { type OnRetry, PassingFailure, Retries } from "./retry.js";
import { rootMessage } from "./root-cause.js";
import { type Answer, type HubRequest, send } from "./send.js";

/**
 * A request with its retries; resolves with any answer below status 400 (redirects to other hosts included, where the request stops at them).
 *
 * @throws HubError that says what is wrong, when the hub refuses or cannot be reached
 */
export async function request(client: HubClient, what: HubRequest, asked: Asked, onRetry?: OnRetry): Promise<Answer> {
  return retrying(client, asked, onRetry, async () => {
    const answer = await send(client, what);
    if (answer.response.status >= 400) throw await refusal(client, answer.response, asked);
    return answer;
  });
}

/** The same for an address of the API; resolves with its JSON and headers. */
export async function requestJson(client: HubClient, url: string, asked: Asked): Promise<{ json: unknown; headers: Headers }> {
  return retrying(client, asked, undefined, async () => {
    const { response } = await send(client, { url });
    if (!response.ok) throw await refusal(client, response, asked);
    let text: string;
    try {
      text = await withTimeout(response.text(), client.timeouts.transferMs);
    } catch (cause) {
      client.signal?.throwIfAborted();
      throw new PassingFailure(`${new URL(url).host}: the answer broke off (${rootMessage(cause)})`, { cause });
    }
    try {
      return { json: JSON.parse(text) as unknown, headers: response.headers };
    } catch (cause) {
      throw new HubError(`hub: ${url} is no address of a hub; expected JSON, got ${excerpt(text)}; check HF_ENDPOINT`, {
        reason: "refused",
        repo: asked.repo,
        cause,
      });
    }
  });
}

async function retrying<T>(client: HubClient, asked: Asked, onRetry: OnRetry | undefined, attempt: () => Promise<T>): Promise<T> {
  const retries = new Retries(client.retry, client.signal, onRetry);
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      await retries.wait(error, { repo: asked.repo, file: asked.file });
    }
  }
}

/** Rejects when `promise` takes longer than `ms`. */
export async function withTimeout<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came for ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
