/** A key or token to compare with: both are hashed and compared byte by byte to the end, so that the time it takes says nothing of either. */
export class Secret {
  readonly #digest: Promise<Uint8Array>;

  constructor(text: string) {
    this.#digest = sha256(text);
  }

  /** Whether this is it. */
  async is(given: string): Promise<boolean> {
    return isEqual(await sha256(given), await this.#digest);
  }
}

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** Of two digests of the same length. */
function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.reduce((difference, byte, index) => difference | (byte ^ b[index]!), 0) === 0;
}
