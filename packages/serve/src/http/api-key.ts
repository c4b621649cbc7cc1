import { RequestError } from "../errors.js";

/** Looks at the key of requests: both are hashed and compared byte by byte to the end, so that the time it takes says nothing of either. */
export class ApiKey {
  readonly #digest: Promise<Uint8Array>;

  constructor(key: string) {
    this.#digest = sha256(key);
  }

  /** Throws RequestError, with status 401, unless the header is `Bearer` and this key. */
  async expect(header: string | undefined): Promise<void> {
    const given = /^Bearer +(.*)$/i.exec(header ?? "")?.[1];
    if (given !== undefined && isEqual(await sha256(given.trimEnd()), await this.#digest)) return;
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

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** Of two digests of the same length. */
function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.reduce((difference, byte, index) => difference | (byte ^ b[index]!), 0) === 0;
}
