import { Secret } from "@kto/core";
import { RequestError } from "../errors.js";

/** Looks at the key of requests. */
export class ApiKey {
  readonly #key: Secret;

  constructor(key: string) {
    this.#key = new Secret(key);
  }

  /** Throws RequestError, with status 401, unless the header is `Bearer` and this key. */
  async expect(header: string | undefined): Promise<void> {
    const given = /^Bearer +(.*)$/i.exec(header ?? "")?.[1];
    if (given !== undefined && (await this.#key.is(given.trimEnd()))) return;
    throw new RequestError(
      {
        operation: "request",
        problem: given === undefined ? "there is no API key" : "the API key is not that of this server",
        expected: "Authorization: Bearer KEY",
        advice: "see how the server was started",
      },
      { status: 401, reason: "invalid_api_key", headers: { "WWW-Authenticate": "Bearer" } },
    );
  }
}
